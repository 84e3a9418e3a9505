/**
 * What a command talks to: standard output for results, standard error for everything else, each a terminal
 * or not. Owns the rules for both; commands never look at process.stdout themselves.
 */
import { jsonText } from './escape.js';
import { colourEnabled, createStyle, type Style, unicodeEnabled } from './style.js';
import type { TableLayout } from './table.js';

/** The part of a writable stream that is used here. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string, written?: () => void): boolean;
}

/** One output stream and what it can show. */
export class Screen {
  /** Whether people read this directly. */
  readonly terminal: boolean;
  /** Whether what was drawn can be drawn over: a dumb terminal only goes on. */
  readonly redraws: boolean;
  readonly style: Style;
  /** Whether characters beyond ASCII may be used for drawing. */
  readonly unicode: boolean;
  readonly #stream: TextStream;

  constructor(stream: TextStream, options: { colour: boolean; environment: NodeJS.ProcessEnv }) {
    this.#stream = stream;
    this.terminal = stream.isTTY === true;
    this.redraws = this.terminal && options.environment.TERM !== 'dumb';
    const settings = { terminal: this.terminal, wanted: options.colour, environment: options.environment };
    this.style = createStyle(colourEnabled(settings));
    this.unicode = this.terminal && unicodeEnabled(options.environment);
  }

  /** Columns of the terminal, as they are now; 80 where that is unknown, which some say as 0. */
  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Lines of the terminal, as they are now; 24 where that is unknown, which some say as 0. */
  get rows(): number {
    return this.#stream.rows || 24;
  }

  /** How tables are laid out here. */
  get layout(): TableLayout {
    return {
      style: this.style,
      width: this.terminal ? this.columns : undefined,
      ellipsis: this.unicode ? '\u2026' : '...',
    };
  }

  /** Writes text as it is. */
  write(text: string): void {
    this.#stream.write(text);
  }

  /** Writes one line. */
  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  /** Resolves when everything written so far has left this process. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()));
  }
}

/** How a command wants to print. */
export interface TerminalOptions {
  json: boolean;
  colour: boolean;
  /** Told when standard output can't be written any more. What is lost with standard error is lost; the work goes on. */
  onOutputError?: (error: NodeJS.ErrnoException) => void;
}

/**
 * Both screens, and whether results are JSON. Each is opened at its first use: opening changes the flags of a pipe and replaces the descriptor of
 * a terminal, and what never prints must leave them as they are.
 */
export class Terminal {
  readonly json: boolean;
  readonly #options: TerminalOptions;
  readonly #environment: NodeJS.ProcessEnv;
  #out: Screen | undefined;
  #err: Screen | undefined;
  #abandoned = false;

  constructor(options: TerminalOptions, environment: NodeJS.ProcessEnv = process.env) {
    this.json = options.json;
    this.#options = options;
    this.#environment = environment;
  }

  /** Standard output, for results. */
  get out(): Screen {
    this.#out ??= this.#open(process.stdout, this.#options.onOutputError ?? (() => undefined));
    return this.#out;
  }

  /** Standard error, for everything else. */
  get err(): Screen {
    this.#err ??= this.#open(process.stderr, () => undefined);
    return this.#err;
  }

  /** Standard output as a stream, for bytes. */
  get stdout(): NodeJS.WritableStream {
    void this.out;
    return process.stdout;
  }

  /** Writes one JSON document on a line of standard output. */
  writeJson(value: unknown): void {
    this.out.line(jsonText(value));
  }

  /** Resolves when everything printed so far has left this process. */
  async flush(): Promise<void> {
    if (!this.#abandoned) await this.#out?.flush();
  }

  /** What was printed and not read by now is lost: for a command that was interrupted and whose reader stalls. */
  abandon(): void {
    this.#abandoned = true;
  }

  #open(stream: NodeJS.WriteStream, onError: (error: NodeJS.ErrnoException) => void): Screen {
    stream.on('error', onError);
    return new Screen(stream, { colour: this.#options.colour, environment: this.#environment });
  }
}
