/**
 * A progress line on a terminal's standard error. Silent in pipes, and for work that is over before anyone
 * would read it.
 */
import { track } from './bars.js';
import { escapeText } from './escape.js';
import type { Screen } from './terminal.js';
import { formatBytes, formatRate } from './units.js';
import { displayWidth, shorten } from './width.js';

/** Work shorter than this needs no progress line. */
const QUIET_MS = 200;
/** Time between two drawings: more would only flicker. */
const REDRAW_MS = 80;
const TRACK_COLUMNS = 24;
const LABEL_GAP = '  ';
/** Less of a label than this says nothing. */
const MIN_LABEL_COLUMNS = 8;
const CLEAR_LINE = '\r\x1b[K';

/** Progress of one copy: `model.bin  ####....  31%  31.0 MiB of 100 MiB  1.20 GiB/s`. */
export class Progress implements Disposable {
  readonly #screen: Screen;
  readonly #label: string;
  readonly #now: () => number;
  readonly #startMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(screen: Screen, label: string, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#label = escapeText(label);
    this.#now = now;
    this.#startMs = now();
  }

  /** Says how far the work is. `total` is undefined while nobody knows the end. */
  update(bytes: number, total: number | undefined): void {
    const now = this.#now();
    if (!this.#screen.redraws || now - this.#startMs < QUIET_MS || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    this.#draw(this.#line(bytes, total, now - this.#startMs));
  }

  /** Removes the line: what stays on the terminal is the result. */
  [Symbol.dispose](): void {
    if (this.#shown) this.#screen.write(CLEAR_LINE);
    this.#shown = false;
  }

  #line(bytes: number, total: number | undefined, ms: number): { bar: string; figures: string } {
    const rate = formatRate(bytes, ms);
    if (total === undefined || total === 0) return { bar: '', figures: `${formatBytes(bytes)}  ${rate}` };
    const share = Math.min(1, bytes / total);
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const figures = ` ${percent}  ${formatBytes(bytes)} of ${formatBytes(total)}  ${rate}`;
    return { bar: track(share, TRACK_COLUMNS, this.#screen.unicode), figures };
  }

  #draw({ bar, figures }: { bar: string; figures: string }): void {
    const room = this.#screen.columns - displayWidth(bar + figures) - LABEL_GAP.length - 1;
    const label = room >= MIN_LABEL_COLUMNS ? shorten(this.#label, room, '...') + LABEL_GAP : '';
    this.#screen.write(CLEAR_LINE + label + this.#screen.style.cyan(bar) + figures);
    this.#shown = true;
  }
}

/** A line that says what is being done now: replaced on a terminal, one line each elsewhere. */
export class StatusLine implements Disposable {
  readonly #screen: Screen;
  readonly #silent: boolean;

  constructor(screen: Screen, silent: boolean) {
    this.#screen = screen;
    this.#silent = silent;
  }

  /** Shows `text` in place of what was shown before. */
  show(text: string): void {
    if (this.#silent) return;
    const { redraws, columns, style } = this.#screen;
    if (redraws) this.#screen.write(CLEAR_LINE + style.dim(shorten(text, columns - 1, '...')));
    else this.#screen.line(text);
  }

  /** Removes the line from a terminal. */
  [Symbol.dispose](): void {
    if (!this.#silent && this.#screen.redraws) this.#screen.write(CLEAR_LINE);
  }
}
