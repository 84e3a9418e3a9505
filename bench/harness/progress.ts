// One line on a terminal's standard error that says what is being measured. Silent where standard error is
// not a terminal, and drawn only between batches: a redraw timer would run beside what is measured.

const WIDTH_FALLBACK = 80;

export class Progress {
  readonly #enabled: boolean;
  #shown = false;

  constructor() {
    this.#enabled = process.stderr.isTTY === true;
  }

  show(text: string): void {
    if (!this.#enabled) return;
    const width = process.stderr.columns ?? WIDTH_FALLBACK;
    process.stderr.write(`\r\x1b[2K${text.slice(0, width - 1)}`);
    this.#shown = true;
  }

  clear(): void {
    if (!this.#shown) return;
    process.stderr.write('\r\x1b[2K');
    this.#shown = false;
  }
}
