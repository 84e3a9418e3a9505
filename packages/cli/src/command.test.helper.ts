/**
 * For tests: the command as a user runs it, with a broker of its own in a fresh folder. Owns the folder and the broker. Trusts the built
 * command beside this file.
 */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The command as npm links it. */
export const SEALANE = fileURLToPath(new URL('../bin/sealane', import.meta.url));
/** The command without what `bin/sealane` notes before Node.js starts. */
export const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

/** What a user's own settings would change. */
const PERSONAL = [
  'SEALANE_SOCKET',
  'SEALANE_JOB_ID',
  'MEMFDBUS_JOB_ID',
  'NO_COLOR',
  'FORCE_COLOR',
  'NODE_OPTIONS',
];

/** A user to be, where the tests run as root; undefined: the one who runs them. */
export type UserId = number | undefined;

/** A broker, and commands that find it. */
export class TestCommand implements AsyncDisposable {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly #user: { uid?: number; gid?: number };
  readonly #broker: ChildProcess;

  private constructor(folder: string, user: UserId) {
    this.folder = folder;
    this.#user = user === undefined ? {} : { uid: user, gid: user };
    const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
    this.environment = { ...process.env, PATH: path, SEALANE_DIR: folder, TMPDIR: folder };
    for (const name of PERSONAL) delete this.environment[name];
    this.#broker = spawn(SEALANE, ['broker'], { ...this.#options(), stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** Starts a broker in a fresh folder of that user; resolves when it serves. */
  static async start(user?: UserId): Promise<TestCommand> {
    const folder = mkdtempSync(join(tmpdir(), 'sealane-command-'));
    if (user !== undefined) chownSync(folder, user, user);
    const command = new TestCommand(folder, user);
    const { stdout } = command.#broker;
    if (stdout === null) throw new Error('the broker has no standard output');
    await once(createInterface({ input: stdout }), 'line');
    return command;
  }

  get brokerPid(): number {
    return this.#broker.pid ?? -1;
  }

  /** Runs a program to its end. */
  run(program: string, words: readonly string[], extra: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
    const env = { ...this.environment, ...extra };
    return spawnSync(program, words, { ...this.#options(), env, encoding: 'utf8', input: '' });
  }

  /** What `sealane` prints when all goes well. */
  output(...words: string[]): string {
    const { status, stdout, stderr } = this.run(SEALANE, words);
    if (status !== 0 || stderr !== '') throw new Error(`sealane ${words.join(' ')}: ${status} ${stderr}`);
    return stdout;
  }

  /** What a shell script prints in which `$SEALANE` is the command. Ends at the first command that fails. */
  script(shell: string, text: string, extra: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
    return this.run(shell, ['-ec', text], { SEALANE, ...extra });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#broker, 'close');
    this.#broker.kill('SIGTERM');
    await closed;
    rmSync(this.folder, { recursive: true, force: true });
  }

  #options() {
    return { cwd: this.folder, env: this.environment, ...this.#user };
  }
}
