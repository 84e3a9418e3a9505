// A trial is an attack that is made once, step by step, on the broker's files or on its process, and what it has at hand: folders, brokers, and
// acts of other users. Owns what it starts.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Actor } from './actor.js';
import type { Role, Users } from './attack.js';

export interface Trial {
  readonly name: string;
  /** As whom it is made. */
  readonly role: Role;
  /** Makes it. Throws when it did harm; else tells what came of it. */
  run(ground: Ground): Promise<string>;
}

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

const COMMAND = fileURLToPath(new URL('../../../packages/cli/bin/sealane.js', import.meta.url));

/** Far longer than a broker takes to refuse to start. */
const WATCHDOG_MS = 60_000;

export class Ground implements AsyncDisposable {
  readonly #folders: string[] = [];
  readonly #actors: Actor[] = [];

  constructor(readonly users: Users) {}

  /** A folder of the own user, in which others may look about. */
  folder(mode = 0o755): string {
    const path = mkdtempSync(join(tmpdir(), 'sealane-trial-'));
    this.#folders.push(path);
    if (this.#isRoot) chownSync(path, this.users.own, this.users.own);
    chmodSync(path, mode);
    return path;
  }

  /** A folder of nobody in particular, in which all make files and each removes its own. */
  common(): string {
    const path = this.folder(0o755);
    if (this.#isRoot) chownSync(path, 0, 0);
    chmodSync(path, 0o1777);
    return path;
  }

  /** `sealane broker` as the own user, or as another one. Resolves when it serves. */
  async serve(
    socket: string,
    options: { execArgv?: readonly string[]; args?: readonly string[]; role?: Role } = {},
  ): Promise<Actor> {
    const { execArgv = [], args = [], role = 'own' } = options;
    const identity = { ...this.as(role), execArgv };
    const broker = new Actor('the broker', COMMAND, ['broker', '--socket', socket, ...args], identity);
    this.#actors.push(broker);
    await broker.firstOutput();
    return broker;
  }

  /** What Node.js is started with to run `sealane`. */
  commandLine(args: readonly string[]): string[] {
    return [COMMAND, ...args];
  }

  /** Runs `sealane` to its end, as the own user. */
  command(args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
    const options = { ...this.as('own'), cwd: '/', encoding: 'utf8', timeout: WATCHDOG_MS } as const;
    const run = spawnSync(process.execPath, this.commandLine(args), {
      ...options,
      env: { ...process.env, ...env },
    });
    return { status: run.status, out: run.stdout, err: run.stderr };
  }

  /** A broker that must not start, and says so by this code. Without a socket, at the default place. */
  refuseToServe(expected: string, socket: string | undefined, env: NodeJS.ProcessEnv = {}): string {
    const place = socket === undefined ? [] : ['--socket', socket];
    return this.refuse(expected, ['broker', '--json', ...place], env);
  }

  /** A command that must fail with this code. */
  refuse(expected: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
    const { status, err } = this.command(args, env);
    expect('the success of the command', status === 0, false);
    expect(`the code of ${err}`, /ERR_SEALANE_[A-Z_]+/.exec(err)?.[0], `ERR_SEALANE_${expected}`);
    return expected;
  }

  /** Runs statements of JavaScript (fs, net, path and process are there) as a user. Gives what they return, or the code of what they throw. */
  act(role: Role, statements: string): string {
    const script = `const fs = require('node:fs'), net = require('node:net');
      try { console.log((() => { ${statements} })() ?? 'done'); } catch (error) { console.log(error.code ?? String(error)); }`;
    const run = spawnSync(process.execPath, ['-e', script], { ...this.as(role), cwd: '/', encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
    return run.stdout.trim();
  }

  /** A process that evaluates statements and stays. Resolves when it has printed something. */
  async stay(role: Role, statements: string, execArgv: readonly string[] = []): Promise<Actor> {
    const actor = Actor.evaluating('a process', statements, { ...this.as(role), execArgv });
    this.#actors.push(actor);
    await actor.firstOutput();
    return actor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const actor of this.#actors) await actor.end();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  as(role: Role): { uid?: number; gid?: number } {
    return this.#isRoot ? { uid: this.users[role], gid: this.users[role] } : {};
  }

  get #isRoot(): boolean {
    return process.geteuid?.() === 0;
  }
}

/** Fails unless both are equal. */
export function expect(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)}, and not ${String(expected)}`);
}
