// Starting and stopping real processes in tests. Whatever was started is ended, by its id, when the test is over.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'processes');

/** A process that runs a script of test/processes. */
export class TestProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting: Array<(line: string | undefined) => void> = [];
  #ended = false;

  constructor(
    script: string,
    args: readonly string[],
    options: SpawnOptions & { wrapper?: readonly string[] } = {},
  ) {
    const { wrapper = [], ...spawnOptions } = options;
    const command = [...wrapper, process.execPath, join(folder, `${script}.js`), ...args];
    this.child = spawn(command[0] ?? '', command.slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...spawnOptions,
    });
    this.child.once('close', () => this.#end());
    this.child.once('error', () => this.#end());
    const { stdout } = this.child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#onLine(line));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** The next line that the process prints. Throws when it ends before. */
  async line(): Promise<string> {
    const line =
      this.#lines.shift() ??
      (this.#ended ? undefined : await new Promise((resolve) => this.#waiting.push(resolve)));
    if (line === undefined) throw new Error(`process ${this.pid} ended before it printed another line`);
    return line;
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined)
      return;
    const closed = once(this.child, 'exit');
    this.child.kill(signal);
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #onLine(line: string): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#lines.push(line);
    else waiting(line);
  }

  #end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }
}
