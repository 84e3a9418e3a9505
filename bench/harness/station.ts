// A child process that does work on request: the measuring program stays idle while its stations are timed, and each
// role (client, broker, consumer) has a process, and if wanted a core, of its own. Messages: Node's own IPC channel.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Place, pinnedCommand } from './pinning.js';

interface Call {
  readonly id: number;
  readonly task: string;
  readonly input: unknown;
}

type Reply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: string };

export interface StationOptions {
  readonly place?: Place;
  /** Flags for node, such as --expose-gc. */
  readonly nodeFlags?: readonly string[];
  /** 'advanced' carries Uint8Arrays in inputs and outputs. */
  readonly serialization?: 'json' | 'advanced';
}

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** A started child. Its standard error is ours; close() ends it. */
export class Station implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #failure: Error | undefined;
  #lastId = 0;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    child.on('message', (reply: Reply) => this.#settle(reply));
    this.#ended = new Promise((resolve) => {
      const end = (error: Error) => {
        this.#failAll(error);
        resolve();
      };
      child.once('error', end);
      child.once('exit', (code, signal) =>
        end(new Error(`${name} ended early (exit code ${code}, signal ${signal})`)),
      );
    });
  }

  /** Starts a compiled module that calls serve(). */
  static start(module: URL, options: StationOptions = {}): Station {
    const path = fileURLToPath(module);
    const node = [process.execPath, ...(options.nodeFlags ?? []), path];
    const [command = process.execPath, ...args] = pinnedCommand(options.place ?? 'anywhere', node);
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: options.serialization ?? 'json',
    });
    return new Station(child, path);
  }

  /** Runs one task there. The caller knows what the task answers and says so in `Output`. */
  call<Output>(task: string, input: unknown = null): Promise<Output> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    return new Promise<Output>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (output) => resolve(output as Output), reject });
      const message: Call = { id, task, input };
      // What can't be sent fails with the child's end, which knows the reason.
      this.#child.send(message, () => {});
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new Error(reply.error));
    else waiting?.resolve(reply.output);
  }

  #failAll(error: Error): void {
    this.#failure = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    else if (this.#failure === undefined) this.#child.kill();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export type Task = (input: never) => unknown;

/** In the child: answers calls by name until the parent disconnects, then runs `onEnd` and exits. */
export function serve(
  tasks: Readonly<Record<string, Task>>,
  onEnd: () => Promise<void> | void = () => {},
): void {
  process.on('message', async (call: Call) => {
    process.send?.(await answer(tasks, call));
  });
  // Ctrl-C reaches every process of the terminal: the parent ends by it, and its end is what ends us, in good order.
  process.on('SIGINT', () => {});
  process.once('disconnect', async () => {
    await onEnd();
    process.exit(0);
  });
}

async function answer(tasks: Readonly<Record<string, Task>>, call: Call): Promise<Reply> {
  try {
    const task = tasks[call.task];
    if (task === undefined) throw new Error(`there is no task called ${call.task}`);
    return { id: call.id, output: (await task(call.input as never)) ?? null };
  } catch (error) {
    return { id: call.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
