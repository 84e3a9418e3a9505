/**
 * For tests, run as a process of its own: becomes the program that its arguments name, in a state that few programs start in. Tests first
 * look at that state in a program that is started so directly.
 */
import { openSync } from 'node:fs';
import { replaceProcess } from 'sealane/internal';

/** SIGHUP, SIGINT, SIGQUIT and SIGUSR1. */
const IGNORED = 0b10_0000_0111n;
/** SIGUSR2, SIGALRM, and a real-time signal. */
const BLOCKED = (1n << 11n) | (1n << 13n) | (1n << 40n);
const OPEN_FILES = 321;
/** Standard input is not among them: it is closed. */
const DESCRIPTORS = [1, 2, openSync('/dev/null', 'w')];

/** Bytes that are no text, a name that shells can't hold, and nothing of what shells add. */
const environment = [Buffer.from('ODD=\xff\xfe', 'latin1'), 'odd.name-1=x', `PATH=${process.env.PATH}`];
const passed = ['SEALANE_DIR', 'TMPDIR'].map((name) => `${name}=${process.env[name] ?? ''}`);

process.umask(0o037);
replaceProcess(
  {
    words: process.argv.slice(2),
    environment: [...environment, ...passed],
    object: openSync('/etc/passwd', 'r'),
    target: 9,
  },
  {
    openFiles: OPEN_FILES,
    ignoredSignals: IGNORED,
    blockedSignals: BLOCKED,
    descriptors: DESCRIPTORS.map((fd) => ({ fd, nonBlocking: undefined })),
  },
);
