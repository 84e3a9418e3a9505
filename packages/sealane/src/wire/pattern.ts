/**
 * Name patterns: `*` matches any run of characters (also none, also with `/` in it), `\*` and `\\` are themselves,
 * nothing else is special. A name is looked through once, whatever pattern and name a peer chooses: each part between
 * two stars is found by the algorithm of Knuth, Morris and Pratt, leftmost first, which is as good as any other place.
 */
import { checkText } from '../base/check.js';
import { MAX_PATTERN_BYTES } from '../base/limits.js';

/** What matching needs of a string. Tests count the looks at one. */
export interface CodeUnits {
  readonly length: number;
  charCodeAt(index: number): number;
}

/**
 * A compiled pattern. Matching compares units of UTF-16, which for well-formed text is the same as comparing characters
 * or bytes of UTF-8. A backslash that stands before anything but `*` and `\` is a backslash.
 */
export class NamePattern {
  /** The pattern as it was given. */
  readonly text: string;
  /** The only name that matches, when no star is in the pattern. */
  readonly literal: string | undefined;
  /** What every name that matches begins with. */
  readonly prefix: string;
  readonly #middle: readonly Part[];
  readonly #suffix: string;

  /** Throws ERR_SEALANE_INVALID_ARGUMENT unless `text` is well-formed and has 1 to MAX_PATTERN_BYTES bytes in UTF-8. */
  constructor(text: string) {
    checkText('pattern', text, 1, MAX_PATTERN_BYTES);
    const parts = splitAtStars(text);
    this.text = text;
    this.prefix = parts[0] ?? '';
    this.literal = parts.length === 1 ? this.prefix : undefined;
    this.#suffix = parts[parts.length - 1] ?? '';
    this.#middle = parts
      .slice(1, -1)
      .filter((part) => part !== '')
      .map((part) => new Part(part));
  }

  /** Whether the whole name fits. No unit of the name is looked at twice, and comparisons are at most twice as many. */
  matches(name: CodeUnits): boolean {
    if (this.literal !== undefined)
      return name.length === this.literal.length && holdsAt(name, 0, this.literal);
    const end = name.length - this.#suffix.length;
    let from = this.prefix.length;
    if (end < from || !holdsAt(name, 0, this.prefix) || !holdsAt(name, end, this.#suffix)) return false;
    for (const part of this.#middle) {
      from = part.findEnd(name, from, end);
      if (from < 0) return false;
    }
    return true;
  }
}

/** A part between two stars, prepared for the search. Exported for the test that counts its steps. */
export class Part {
  readonly #text: CodeUnits;
  /** By n: the length of the longest proper prefix of the first n+1 units that is also their suffix. */
  readonly #borders: Uint16Array;

  constructor(text: CodeUnits) {
    this.#text = text;
    this.#borders = new Uint16Array(text.length);
    for (let index = 1, length = 0; index < text.length; index++) {
      length = this.#extend(length, text.charCodeAt(index));
      this.#borders[index] = length;
    }
  }

  /** Where the first occurrence inside [from, end) ends; -1 when there is none. */
  findEnd(name: CodeUnits, from: number, end: number): number {
    let matched = 0;
    for (let index = from; index < end; index++) {
      matched = this.#extend(matched, name.charCodeAt(index));
      if (matched === this.#text.length) return index + 1;
    }
    return -1;
  }

  /** How many units match after this one, when `matched` did before it. Each step back was paid for by a step forward. */
  #extend(matched: number, unit: number): number {
    let length = matched;
    while (length > 0 && this.#text.charCodeAt(length) !== unit) length = this.#borders[length - 1] ?? 0;
    return this.#text.charCodeAt(length) === unit ? length + 1 : length;
  }
}

function holdsAt(name: CodeUnits, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (name.charCodeAt(at + index) !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** The parts between the stars, with escapes resolved: one part more than there are stars. */
function splitAtStars(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let index = 0; index < text.length; index++) {
    const unit = text.charAt(index);
    const following = text.charAt(index + 1);
    if (unit === '\\' && (following === '*' || following === '\\')) {
      part += following;
      index++;
    } else if (unit === '*') {
      parts.push(part);
      part = '';
    } else part += unit;
  }
  parts.push(part);
  return parts;
}
