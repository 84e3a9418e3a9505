// Signals to the broker's process, by its own user and by another one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Ground, type Trial } from '../trial.js';

/** How often a condition is looked at, in milliseconds, and when it is given up: far above what it takes. */
const LOOK_MS = 10;
const WATCHDOG_MS = 20_000;

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WATCHDOG_MS;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`it never came that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function works(ground: Ground, socket: string): void {
  const { status, err } = ground.command(['--socket', socket, 'put', '/dev/null', '--name', 'trial']);
  expect(`a put (${err})`, status, 0);
}

function stateOf(pid: number): string {
  return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

const send = (pid: number, signals: readonly string[]): string =>
  `for (const signal of ${JSON.stringify(signals)}) process.kill(${pid}, signal);`;

/** Signals that ask a process to do something, and none that is meant to end it. */
const HARMLESS = ['SIGPIPE', 'SIGHUP', 'SIGUSR1', 'SIGWINCH', 'SIGCHLD', 'SIGURG'];

export const SIGNALS: readonly Trial[] = [
  {
    name: 'another user sends signals',
    role: 'admitted',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      const { pid } = await ground.serve(socket);
      for (const signal of [...HARMLESS, 'SIGSTOP', 'SIGTERM', 'SIGKILL'])
        expect(signal, ground.act('admitted', send(pid, [signal])), 'EPERM');
      works(ground, socket);
      return 'EPERM';
    },
  },
  {
    name: 'storms of signals that are not meant to end anything',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      const { pid } = await ground.serve(socket);
      for (let count = 0; count < 3; count++)
        expect('sending', ground.act('own', send(pid, Array(50).fill(HARMLESS).flat())), 'done');
      works(ground, socket);
      return 'served all the while';
    },
  },
  {
    name: 'SIGUSR1, for which Node.js opens a debugger to all users of the machine',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      const broker = await ground.serve(socket, { execArgv: ['--inspect-port=0'] });
      const stay = "setInterval(() => undefined, 1000); console.log('there');";
      const other = await ground.stay('own', stay, ['--inspect-port=0']);
      ground.act('own', send(broker.pid, ['SIGUSR1']));
      ground.act('own', send(other.pid, ['SIGUSR1']));
      await until('another process has opened its debugger', () =>
        other.errors.includes('Debugger listening'),
      );
      works(ground, socket);
      expect('what the broker says', broker.errors, '');
      return 'no debugger';
    },
  },
  {
    name: 'SIGSTOP, and SIGCONT after a client has come',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      const { pid } = await ground.serve(socket);
      ground.act('own', send(pid, ['SIGSTOP']));
      await until('it is stopped', () => stateOf(pid) === 'T');
      const client = await ground.stay(
        'own',
        `const { spawn } = require('node:child_process');
        const args = ${JSON.stringify(ground.commandLine(['--socket', socket, 'put', '/dev/null', '--name', 'late']))};
        const child = spawn(process.execPath, args, { stdio: 'ignore' });
        console.log('asked');
        child.on('exit', (status) => { process.exitCode = status ?? 1; });`,
      );
      ground.act('own', send(pid, ['SIGCONT']));
      await until('the client is served', () => !client.alive);
      expect('its status', client.child.exitCode, 0);
      return 'served afterwards';
    },
  },
];
