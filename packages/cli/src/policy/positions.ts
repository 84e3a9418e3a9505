/**
 * Where the tables, keys and values of a TOML document stand. The parser tells that only of errors of syntax; what else can be wrong
 * is found later, in values. Trusts that the text is TOML: it was parsed before. Pure.
 */

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

/** How the steps to a value are written: `grant[2].names[0]`. */
export function pathText(steps: readonly (string | number)[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`;
    return path === '' ? step : `${path}.${step}`;
  }, '');
}

/** The position of each table, key and element of a document, by its path. */
export function locate(text: string): Map<string, Position> {
  const scanner = new Scanner(text);
  scanner.scan();
  return scanner.positions;
}

type Steps = readonly (string | number)[];

/** What stands between things: white space, line ends, commas, comments. */
const GAP = /(?:[\s,]|#[^\n]*)*/y;
const SPACE = /[ \t]*/y;
const BARE_KEY = /[\w-]+/y;
const STRING = /"""(?:[^\\]|\\[\s\S])*?"{3,5}|'''[\s\S]*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*'/y;
const SCALAR = /[^\s,\]}#](?:[^\n,\]}#]*)/y;

class Scanner {
  readonly positions = new Map<string, Position>();
  readonly #tableCounts = new Map<string, number>();
  #base: Steps = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #counted = 0;

  constructor(private readonly text: string) {}

  scan(): void {
    this.#take(GAP);
    while (this.#at < this.text.length) {
      const before = this.#at;
      if (this.text[this.#at] === '[') this.#header();
      else this.#pair(this.#base);
      this.#take(GAP);
      // Not TOML after all: better no further position than no end.
      if (this.#at === before) return;
    }
  }

  #header(): void {
    const start = this.#at;
    const isArray = this.text[start + 1] === '[';
    this.#at += isArray ? 2 : 1;
    const keys = this.#keys();
    this.#base = this.#resolve(keys, isArray);
    this.#note(this.#base, start);
    this.#at += isArray ? 2 : 1;
  }

  /** A step through a list of tables means the last one that there is so far. */
  #resolve(keys: readonly string[], isArray: boolean): Steps {
    let steps: Steps = [];
    for (const [index, key] of keys.entries()) {
      steps = [...steps, key];
      const path = pathText(steps);
      if (isArray && index === keys.length - 1)
        this.#tableCounts.set(path, (this.#tableCounts.get(path) ?? 0) + 1);
      const count = this.#tableCounts.get(path);
      if (count !== undefined) steps = [...steps, count - 1];
    }
    return steps;
  }

  #pair(base: Steps): void {
    const start = this.#at;
    const steps = [...base, ...this.#keys()];
    this.#note(steps, start);
    this.#take(SPACE);
    if (this.text[this.#at] === '=') this.#at++;
    this.#take(SPACE);
    this.#value(steps);
  }

  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      this.#take(SPACE);
      keys.push(keyOf(this.#take(STRING) || this.#take(BARE_KEY)));
      this.#take(SPACE);
      if (this.text[this.#at] !== '.') return keys;
      this.#at++;
    }
  }

  #value(steps: Steps): void {
    const opening = this.text[this.#at];
    if (opening === '[') this.#members(']', (index) => this.#element([...steps, index]));
    else if (opening === '{') this.#members('}', () => this.#pair(steps));
    else if (this.#take(STRING) === '') this.#take(SCALAR);
  }

  #members(closing: string, member: (index: number) => void): void {
    this.#at++;
    for (let index = 0; ; index++) {
      this.#take(GAP);
      const before = this.#at;
      if (this.text[this.#at] !== closing) member(index);
      if (this.#at === before) break;
    }
    this.#at++;
  }

  #element(steps: Steps): void {
    this.#note(steps, this.#at);
    this.#value(steps);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.text) ?? [];
    this.#at += found.length;
    return found;
  }

  /** The first position of a path counts. */
  #note(steps: Steps, at: number): void {
    const path = pathText(steps);
    if (!this.positions.has(path)) this.positions.set(path, this.#positionOf(at));
  }

  /** Positions are asked for in the order of the text. */
  #positionOf(at: number): Position {
    for (let end = this.text.indexOf('\n', this.#counted); end !== -1 && end < at; ) {
      this.#line++;
      this.#lineStart = end + 1;
      this.#counted = end + 1;
      end = this.text.indexOf('\n', this.#counted);
    }
    return { line: this.#line, column: at - this.#lineStart + 1 };
  }
}

/** A key as it is meant: bare, or without its quotes and escapes. */
function keyOf(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}
