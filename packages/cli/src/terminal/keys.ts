/**
 * Keys that are pressed while something is shown. Owns the mode of the terminal and what reads it; both are given back on every path but a
 * kill that nobody can catch.
 */
import type { ReadStream } from 'node:tty';

/** Control-C and control-backslash, as a raw terminal sends them. */
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = { '\u0003': 'SIGINT', '\u001c': 'SIGQUIT' };

/** Keys of standard input, if it is a terminal; none otherwise. */
export class Keys implements Disposable {
  readonly #input: ReadStream = process.stdin;
  readonly #onKey: (key: string) => void;
  readonly #active: boolean;
  readonly #listener = (text: string) => this.#read(text);

  constructor(onKey: (key: string) => void) {
    this.#onKey = onKey;
    this.#active = this.#input.isTTY === true;
    if (!this.#active) return;
    this.#input.setRawMode(true);
    this.#input.setEncoding('utf8');
    this.#input.on('data', this.#listener);
    this.#input.unref();
  }

  [Symbol.dispose](): void {
    if (!this.#active) return;
    this.#input.off('data', this.#listener);
    this.#input.setRawMode(false);
    this.#input.pause();
  }

  /** A raw terminal sends no signals by itself. */
  #read(text: string): void {
    for (const key of text) {
      const signal = SIGNALS[key];
      if (signal === undefined) this.#onKey(key);
      else process.kill(process.pid, signal);
    }
  }
}
