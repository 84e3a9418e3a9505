// A process of the suite (broker, client or attacker) that is asked and told things over its IPC channel, at a place and as a user of
// the suite's choice. Whoever starts one ends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What the end of the error output is kept of, in characters. */
const KEPT_ERRORS = 2_000;

export interface ActorOptions {
  /** Whom to become, with a group of the same number and no others; absent: this process's user. */
  readonly uid?: number | undefined;
  /** What to start it through: words in front of the command line. */
  readonly through?: readonly string[];
  /** Options of Node.js itself. */
  readonly execArgv?: readonly string[];
}

/** The path of a compiled script of this folder. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}

export class Actor implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #waiting: Array<{ resolve: (reply: unknown) => void; reject: (error: Error) => void }> = [];
  #errors = '';
  #ended = false;

  /** Starts Node.js with a script (a path) and its arguments. */
  constructor(
    readonly role: string,
    script: string,
    args: readonly string[],
    { uid, through = [], execArgv = [] }: ActorOptions = {},
  ) {
    const command = [...through, process.execPath, ...execArgv, script, ...args];
    this.child = spawn(command[0] ?? '', command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      cwd: '/',
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = `${this.#errors}${text}`.slice(-KEPT_ERRORS);
    });
    this.child.on('message', (reply) => this.#waiting.shift()?.resolve(reply));
    this.child.once('error', (error) => this.#onEnd(error.message));
    this.child.once('close', (code, signal) => this.#onEnd(`status ${code ?? signal}`));
  }

  /** Starts Node.js with a program as text. */
  static evaluating(role: string, program: string, options: ActorOptions = {}): Actor {
    return new Actor(role, '-e', [program], options);
  }

  /** The end of what it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get alive(): boolean {
    return !this.#ended;
  }

  /** Asks something; replies come in the order of the questions. Rejects when the process ends before. */
  ask<Reply>(question: unknown): Promise<Reply> {
    const reply = this.next<Reply>();
    if (!this.#ended) this.child.send(question as object, () => undefined);
    return reply;
  }

  /** The next message that the process sends by itself. */
  next<Reply>(): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#ended) reject(new Error(`${this.role} has ended\n${this.#errors}`));
      else this.#waiting.push({ resolve: resolve as (reply: unknown) => void, reject });
    });
  }

  /** The first piece of what the process prints. */
  async firstOutput(): Promise<string> {
    const { stdout } = this.child;
    if (stdout === null) throw new Error('the output is not captured');
    const ended = this.next<never>();
    const [text] = (await Promise.race([once(stdout, 'data'), ended])) as [Buffer];
    this.#waiting.length = 0;
    ended.catch(() => undefined);
    return text.toString('utf8');
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#ended || this.child.pid === undefined) return;
    const closed = once(this.child, 'close');
    this.child.kill(signal);
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  #onEnd(how: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const error = new Error(`${this.role} ended with ${how}\n${this.#errors}`);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
