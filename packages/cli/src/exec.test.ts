// `sealane exec`: the program that it becomes finds the object, and everything else as if it had been started directly.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from 'sealane';
import { MAIN, SEALANE, TestCommand, type UserId } from './command.test.helper.js';

const ODD_PROCESS = fileURLToPath(new URL('./odd-process.test.helper.js', import.meta.url));
const CONTENT = 'the first line\nthe second line\n';
const DIGEST = `sha256:${createHash('sha256').update(CONTENT).digest('hex')}`;
/** Variables that name the object; the shell's own differ from one program to the next. */
const OBJECT_VARIABLE = /^(SEALANE|MEMFDBUS)_(FD|OBJECT_ID|SIZE|DIGEST|NAME)=/;
/** As the kernel shows it; libraries say 0. */
const O_LARGEFILE = 0o100000;

let command: TestCommand;
let id: string;

before(async () => {
  command = await TestCommand.start();
  id = putModel(command);
});

after(async () => {
  await command[Symbol.asyncDispose]();
});

function putModel(where: TestCommand): string {
  writeFileSync(join(where.folder, 'model'), CONTENT);
  return where.output('put', 'model').trim();
}

/** What a program of its own says of its process. */
interface Portrait {
  signals: string[];
  /** Limits and all else that a process hands on to its next program. */
  facts: string[];
  environment: string[];
  descriptors: string[];
}

/** How a program is started: these words come at the end. */
type Start = (...words: string[]) => string;

/** Lines that differ from one process to the next although nobody has changed anything. */
const OWN =
  /^(Name|State|Tgid|Pid|PPid|NS\w+|FDSize|Vm\w+|Rss\w+|Threads|SigQ|\w+_ctxt_switches|Mems_\w+|Hugetlb\w+):/;

const file = (name: string) => `/proc/self/${name}`;

/** Standard tools describe themselves: nothing stands between them and the start that is looked at. */
function portray(start: Start): Portrait {
  const facts = start(
    'cat',
    ...['status', 'limits', 'oom_score_adj', 'coredump_filter', 'timerslack_ns'].map(file),
  );
  const lines = facts.split('\n').filter((line) => !OWN.test(line));
  return {
    signals: lines.filter((line) => /^Sig|^Shd/.test(line)),
    facts: lines.filter((line) => !/^Sig|^Shd/.test(line)),
    environment: start('cat', ...['cmdline', 'environ'].map(file))
      .split('\0')
      .sort(),
    descriptors: descriptorsOf(start),
  };
}

/** Number, flags and what it leads to. */
function descriptorsOf(start: Start): string[] {
  const links = start('ls', '-l', file('fd')).matchAll(/ (\d+) -> (.*)$/gm);
  // Without that of ls itself for the directory, and without the numbers of pipes, which no two programs share.
  const own = [...links].filter(([, , link = '']) => !/^\/proc\/\d+\/fd$/.test(link));
  const numbers = own.map(([, fd = '']) => fd);
  const flags = start('grep', 'flags:', ...numbers.map((fd) => file(`fdinfo/${fd}`)));
  const octal = [...flags.matchAll(/flags:\s+(\d+)$/gm)].map(([, digits = '']) => digits);
  return own.map(([, fd, link = ''], index) => `${fd} ${octal[index]} ${link.replace(/\[\d+\]/, '')}`);
}

/** The same without the object and its variables. */
function withoutObject(portrait: Portrait): Portrait {
  const environment = portrait.environment.filter((entry) => !OBJECT_VARIABLE.test(entry));
  const descriptors = portrait.descriptors.filter((line) => !line.includes('/memfd:sealane'));
  assert.equal(portrait.environment.length - environment.length, 10);
  assert.equal(portrait.descriptors.length - descriptors.length, 1);
  return { ...portrait, environment, descriptors };
}

/** Runs to the end, in an odd process, and answers what was printed. */
function oddly(where: TestCommand, ...words: string[]): string {
  const { status, stdout, stderr } = where.run(process.execPath, [ODD_PROCESS, ...words]);
  assert.deepEqual([status, stderr], [0, ''], words.join(' '));
  return stdout;
}

function compareOddProcesses(where: TestCommand, shells: string[][] = [[]]): void {
  const direct = portray((...words) => oddly(where, ...words));
  for (const line of ['SigBlk:\t0000010000002800', 'SigIgn:\t0000000000000207'])
    assert.ok(direct.signals.includes(line), direct.signals.join());
  assert.ok(direct.facts.some((line) => /^Max open files +321 /.test(line)));
  assert.ok(direct.facts.includes('Umask:\t0037'));
  assert.ok(direct.environment.includes('odd.name-1=x'));
  assert.match(direct.descriptors[0] ?? '', /^1 /);
  assert.equal(direct.descriptors.length, 4);
  for (const shell of shells) {
    const handed = portray((...words) => oddly(where, ...shell, SEALANE, 'exec', 'model', '--', ...words));
    assert.deepEqual(withoutObject(handed), direct);
  }
}

test('the program is the same process, and finds the object', async () => {
  const script = `echo $$; cat <&"$SEALANE_FD"; env | grep -E '${OBJECT_VARIABLE.source}' | sort`;
  const { pid, status, stdout, stderr } = command.run(SEALANE, ['exec', 'model', '--', 'sh', '-c', script]);
  assert.deepEqual([status, stderr], [0, '']);
  const values = [`DIGEST=${DIGEST}`, 'FD=3', 'NAME=model', `OBJECT_ID=${id}`, `SIZE=${CONTENT.length}`];
  const lines = ['MEMFDBUS_', 'SEALANE_'].flatMap((prefix) => values.map((value) => prefix + value));
  assert.equal(stdout, `${pid}\n${CONTENT}${lines.join('\n')}\n`);
});

test('the program finds everything else as if it had been started directly, whatever shell is /bin/sh', () => {
  compareOddProcesses(command, [[], ['bash']]);
});

test('a large environment is passed on, and does not keep the rest from being put back', () => {
  const large = Object.fromEntries([1, 2, 3].map((n) => [`LARGE_${n}`, String(n).repeat(60_000)]));
  const words = [
    '-c',
    `trap '' HUP; exec "$0" exec model -- cat /proc/self/status /proc/self/environ`,
    SEALANE,
  ];
  const { stdout, stderr } = command.run('sh', words, large);
  assert.match(stdout, /^SigIgn:\t0{15}1$/m, stderr);
  for (const [name, value] of Object.entries(large)) assert.ok(stdout.includes(`\0${name}=${value}\0`));
  assert.ok(!stdout.includes('SEALANE_ORIGIN'));
});

const asUser: UserId = process.getuid?.() === 0 ? 65534 : undefined;
const unreadable =
  asUser !== undefined && isUnreadable(asUser) ? `user ${asUser} may not read ${MAIN}` : false;

/** Whether that user can't run the command: a repository may be private. */
function isUnreadable(uid: number): boolean {
  const program = `require('node:fs').accessSync(${JSON.stringify(MAIN)}, ${constants.R_OK})`;
  return spawnSync(process.execPath, ['-e', program], { uid, gid: uid }).status !== 0;
}

test('an ordinary user has the same', { skip: unreadable }, async () => {
  await using theirs = await TestCommand.start(asUser);
  if (asUser !== undefined) assert.match(theirs.run('id', ['-u']).stdout, /^65534\n$/);
  putModel(theirs);
  compareOddProcesses(theirs);
});

/** The numbers of the descriptors that `ls` has in a program that a command ends in. */
function numbersOf(listing: string): string[] {
  const links = [...listing.matchAll(/ (\d+) -> (.*)$/gm)];
  return links.filter(([, , link = '']) => !/^\/proc\/\d+\/fd$/.test(link)).map(([, fd = '']) => fd);
}

test('of the command itself the program inherits nothing', () => {
  const main = command.run(process.execPath, [MAIN, 'exec', 'model', '--', 'ls', '-l', '/proc/self/fd']);
  assert.deepEqual(numbersOf(main.stdout), ['0', '1', '2', '3'], main.stderr);
  // Whoever runs the tests may have passed descriptors on: the program has those too, as if it had been started directly.
  const direct = numbersOf(command.run('ls', ['-l', '/proc/self/fd']).stdout);
  const handed = numbersOf(command.output('exec', 'model', '--', 'ls', '-l', '/proc/self/fd'));
  assert.deepEqual(handed, [...direct, '3'].sort());
});

test('what the caller passes on is inherited: redirections and substituted processes', () => {
  const script = `
    "$SEALANE" exec model -- cat <(echo substituted) -
    "$SEALANE" exec model 5<model 3<&0 -- sh -c 'cat <&5; echo "$SEALANE_FD"'`;
  const { stdout, stderr } = command.script('bash', script);
  assert.deepEqual([stdout, stderr], [`substituted\n${CONTENT}4\n`, '']);
});

test('run by Node.js directly, the program gets the limit of the parent, and signals as they mostly are', () => {
  const script = `ulimit -Sn 300; "$NODE" "$MAIN" exec model -- cat /proc/self/limits /proc/self/status; true`;
  const { stdout, stderr } = command.script('bash', script, { NODE: process.execPath, MAIN });
  assert.match(stdout, /^Max open files +300 /m, stderr);
  assert.match(stdout, /^SigIgn:\t0+$/m);
  assert.match(stdout, /^SigBlk:\t0+$/m);
});

test('pipes and terminals that Node.js made non-blocking are blocking again', () => {
  const touch = join(command.folder, 'touch.cjs');
  writeFileSync(
    touch,
    "for (const name of ['stdin', 'stdout', 'stderr']) process[name].on('error', () => {});",
  );
  const files = [0, 1, 2].map((fd) => `/proc/self/fdinfo/${fd}`).join(' ');
  for (const start of ['"$SEALANE"', '"$NODE" "$MAIN"']) {
    const script = `sleep 0 | { ${start} exec model -- grep flags: ${files}; } 2>&1 | cat`;
    const { stdout } = command.script('bash', script, {
      NODE: process.execPath,
      MAIN,
      NODE_OPTIONS: start === '"$SEALANE"' ? `--require ${touch}` : '',
    });
    assert.equal(stdout.match(/flags:/g)?.length, 3, stdout);
    assert.doesNotMatch(stdout, /flags:\s+\d*[4-7]\d{3}$/m);
  }
});

const hasScript = spawnSync('script', ['--version']).status === 0;
const noTerminal = hasScript ? false : 'the program script (util-linux), which makes a terminal, is missing';

test('a terminal keeps its settings, and its descriptors', { skip: noTerminal }, () => {
  const look = 'sh -c "stty -g; grep flags: /proc/self/fdinfo/[012]"';
  const text = `stty -echo -icanon min 3; ${look}; echo then; exec '${SEALANE}' exec model -- ${look}`;
  const { stdout, stderr } = command.run('script', ['-qec', text, '/dev/null']);
  // O_LARGEFILE is what shows that Node.js opened the terminal once more, which it may: it is the same terminal.
  const plain = (flags: string) => (Number.parseInt(flags, 8) & ~O_LARGEFILE).toString(8);
  const lines = stdout.replaceAll('\r', '').replace(/(?<=flags:\t)\d+/g, plain);
  const [direct = '', handed] = lines.split('then\n');
  assert.match(direct, /^[0-9a-f:]+\n.*flags:/, stderr);
  assert.equal(handed, direct);
});

test('the name is unset for an object that has none, whatever the caller has set', async () => {
  const unnamed = command.output('put', 'model', '--no-name').trim();
  const stale = { SEALANE_NAME: 'stale', MEMFDBUS_NAME: 'stale', SEALANE_FD: '77' };
  const { stdout } = command.run(SEALANE, ['exec', unnamed, '--', 'env'], stale);
  assert.doesNotMatch(stdout, /(SEALANE|MEMFDBUS)_NAME=|stale|=77$/m);
  await using bus = await connect({ socket: join(command.folder, 'broker.sock') });
  const { id: odd } = await bus.put(new Uint8Array(1), { name: 'a\0b' });
  assert.doesNotMatch(command.output('exec', String(odd), '--', 'env'), /(SEALANE|MEMFDBUS)_NAME=/);
});

test('a program that becomes another one in the same way passes its object on beside the new one', () => {
  const inner = `"$SEALANE" exec other -- sh -c 'cat <&3; cat <&"$SEALANE_FD"; echo "$SEALANE_FD"'`;
  writeFileSync(join(command.folder, 'other'), 'another\n');
  const script = `"$SEALANE" put other; "$SEALANE" exec model -- sh -c '${inner.replaceAll("'", `'\\''`)}'`;
  const { stdout, stderr } = command.script('sh', script);
  assert.match(stdout, new RegExp(`^\\d+\\n${CONTENT}another\n4\n$`), stderr);
});

test('the digest is computed when nobody has asked for it, and remembered', () => {
  writeFileSync(join(command.folder, 'fresh'), 'nobody has hashed this');
  command.output('put', 'fresh');
  assert.match(command.output('list', 'fresh', '--no-digests'), /\t-\tfresh\n$/);
  const shown = command.output('exec', 'fresh', '--', 'sh', '-c', 'echo "$SEALANE_DIGEST"');
  assert.match(shown, /^sha256:[0-9a-f]{64}\n$/);
  assert.ok(command.output('list', 'fresh', '--no-digests').includes(shown.trim()));
});

test('the exit status is the program, and that of a shell where there is none to run', () => {
  const refusal = (...words: string[]) => {
    const { status, stdout, stderr } = command.run(SEALANE, ['exec', ...words]);
    assert.equal(stdout, '');
    return `${status} ${stderr}`;
  };
  assert.equal(refusal('model', '--', 'sh', '-c', 'exit 42'), '42 ');
  assert.match(
    refusal('model', '--', 'no-such-command'),
    /^127 sealane: can't run no-such-command: command not found; /,
  );
  assert.match(refusal('model', '--', './none'), /^127 sealane: can't run .\/none: no such program; /);
  assert.match(
    refusal('model', '--', './model'),
    /^126 sealane: can't run .\/model: permission denied; .*chmod \+x/,
  );
  assert.match(refusal('model', '--', './model/x'), /^127 /);
  assert.match(refusal('none', '--', 'true'), /^3 sealane: object not found: /);
  for (const words of [
    ['model'],
    ['model', '--'],
    ['model', 'true'],
    ['--', 'model', 'true'],
    ['model', 'true', '--', 'x'],
  ])
    assert.match(refusal(...words), /^2 sealane: .*; write `sealane exec TARGET -- COMMAND/);
});

test('options before -- are ours, and all behind it is the command', () => {
  const words = ['exec', '--name', 'model', '--', 'echo', '--name', '--json', '--', '-x', ''];
  assert.equal(command.output(...words), '--name --json -- -x \n');
  assert.equal(command.output('exec', DIGEST, '--json', '--', 'echo', '-n'), '');
});

test('a signal that was ignored at the start ends the command no more than the program', async () => {
  const program = ['sh', '-c', 'echo on; read -r line; echo "$line"'];
  const words = ['-c', `trap '' TERM; exec "$@"`, 'sh', SEALANE, 'exec', 'model', '--', ...program];
  // The broker answers nothing meanwhile: the command is found in the middle of its work.
  process.kill(command.brokerPid, 'SIGSTOP');
  const child = spawn('sh', words, { env: command.environment, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    while (!isConnected(child.pid)) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGTERM');
  } finally {
    process.kill(command.brokerPid, 'SIGCONT');
  }
  assert.equal((await lines.next()).value, 'on');
  child.kill('SIGTERM');
  child.stdin.end('still here\n');
  assert.equal((await lines.next()).value, 'still here');
});

/** Whether the command, which must live, runs in Node.js and has a socket beyond its standard descriptors. */
function isConnected(pid: number | undefined): boolean {
  if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sealane.js')) return false;
  const numbers = readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2);
  return numbers.some((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith('socket:'));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
