/** A few lines on a terminal that are drawn again and again in the same place. Owns those lines until something else is printed. */
import type { Screen } from './terminal.js';

/** The lines at the bottom of the screen. What was drawn last stays. */
export class LiveLines {
  readonly #screen: Screen;
  #drawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Draws these lines in the place of the former ones, where the terminal can do that; else below them. They must be no wider than the screen. */
  draw(lines: readonly string[]): void {
    const back = this.#drawn === 0 || !this.#screen.redraws ? '' : `\x1b[${this.#drawn}A\r\x1b[J`;
    this.#screen.write(`${back}${lines.map((line) => `${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }
}
