/**
 * A consumer process as the demo sees it. Owns the process: disposing kills it and waits until it is gone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { FromConsumer, ToConsumer } from './protocol.js';

const ENTRY = new URL('./consumer.js', import.meta.url);

type Kind = Exclude<FromConsumer['kind'], 'failed'>;
type Answer<K extends Kind> = Extract<FromConsumer, { kind: K }>;

export class ConsumerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #answers = new Map<string, FromConsumer>();
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#fail(this.#signal.reason as Error);

  /** Starts a consumer. `signal` ends the waiting for its answers. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    // Advanced serialization, the faster of the two for bytes, is what the way `messages` measures.
    this.#child = fork(ENTRY, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.on('message', (message) => this.#take(message as FromConsumer));
    this.#child.on('error', (error) => this.#fail(error));
    this.#child.on('exit', (code, by) =>
      this.#fail(new Error(`a consumer process ended with ${by ?? code}`)),
    );
    if (signal.aborted) this.#onAbort();
    signal.addEventListener('abort', this.#onAbort);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends without waiting; failures show up at the next {@link ConsumerProcess.answer}. */
  send(message: ToConsumer): void {
    this.#child.send(message, (error) => {
      if (error !== null) this.#fail(error);
    });
  }

  /**
   * The consumer's answer of this kind, as soon as it is there. Throws what went wrong in the consumer, or
   * the interruption.
   */
  async answer<K extends Kind>(kind: K): Promise<Answer<K>> {
    for (;;) {
      const found = this.#answers.get(kind);
      if (found !== undefined) return found as Answer<K>;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#child.kill('SIGKILL');
    if (this.#child.pid !== undefined) await this.#exited;
  }

  #take(message: FromConsumer): void {
    if (message.kind === 'failed') {
      this.#fail(new Error(`a consumer process failed: ${message.message}`));
    } else {
      this.#answers.set(message.kind, message);
      this.#wake();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}
