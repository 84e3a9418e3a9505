/**
 * For tests: brokers started as a service manager starts them, with real sockets and a real place to report to.
 * Owns processes, sockets and folders; all of them end with their test.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const RECEIVER = fileURLToPath(new URL('../../../../test/helpers/notify_receiver.c', import.meta.url));
const COMPILER_FLAGS = ['-std=c11', '-O1', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE'];

/** The environment of the user without what would lead a command to another broker or service manager. */
export function cleanEnvironment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const foreign =
    /^(SEALANE_(SOCKET|JOB_ID|DIR)|LISTEN_.*|NOTIFY_SOCKET|WATCHDOG_.*|NODE_OPTIONS|NODE_DEBUG|.*COLOR)$/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(own), ...more };
}

/** A folder that goes with the test. */
export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-service-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A process that prints lines. It is killed with the test if it still runs. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<[number | null, NodeJS.Signals | null]>;
  stderr = '';
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext, command: readonly string[], options: RunOptions = {}) {
    const { env = cleanEnvironment(), fds = [] } = options;
    const [program = '', ...words] = command;
    this.child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe', ...fds] });
    this.exited = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk;
    });
    if (this.child.stdout === null) throw new Error('there is no standard output');
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    t.after(() => this.child.kill('SIGKILL'));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** The next line. Throws when the process ends before. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.child.spawnargs.join(' ')} ended without another line: ${this.stderr}`);
    return value;
  }

  /** Resolves when standard error has had text that matches. */
  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stderr)) await once(this.child.stderr as Readable, 'data');
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return (await this.exited)[0];
  }
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Descriptors that the process has from 3 on. */
  fds?: readonly number[];
}

/**
 * `sealane broker` with passed descriptors: a shell states its own id in LISTEN_PID and WATCHDOG_PID and becomes the broker, as
 * the child of a service manager does.
 */
export function startService(t: TestContext, words: readonly string[], options: RunOptions = {}): Running {
  const script = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"';
  return new Running(t, ['sh', '-c', script, 'sh', process.execPath, MAIN, 'broker', ...words], options);
}

/** One report: who sent it, as the kernel says, and its lines. */
export interface Report {
  pid: number;
  state: Record<string, string>;
}

/** What is reported, as it comes. */
export class Receiver {
  readonly #process: Running;

  private constructor(
    readonly address: string,
    running: Running,
  ) {
    this.#process = running;
  }

  /** Undefined where there is no C compiler. `hold`: reads nothing until it is told to. */
  static async start(t: TestContext, address: string, hold = false): Promise<Receiver | undefined> {
    const program = join(folderOf(t), 'receiver');
    const result = spawnSync(process.env.CC || 'cc', [...COMPILER_FLAGS, '-o', program, RECEIVER], {
      encoding: 'utf8',
    });
    if (result.error !== undefined) return undefined;
    if (result.status !== 0) throw new Error(result.stderr);
    const receiver = new Receiver(address, new Running(t, [program, address, ...(hold ? ['hold'] : [])]));
    await receiver.#process.line();
    return receiver;
  }

  async next(): Promise<Report> {
    const [, pid, , text = ''] = /^(\d+) (\d+) (.*)\|$/.exec(await this.#process.line()) ?? [];
    const lines = text.split('|').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]);
    return { pid: Number(pid), state: Object.fromEntries(lines) };
  }

  /** The next report that has this variable; those before are thrown away. */
  async nextWith(variable: string): Promise<Record<string, string>> {
    for (;;) {
      const { state } = await this.next();
      if (variable in state) return state;
    }
  }

  /** Begins to read. */
  release(): void {
    this.#process.child.stdin?.write('read\n');
  }
}

export const NO_COMPILER = 'there is no C compiler, and Node.js has no Unix datagrams';
