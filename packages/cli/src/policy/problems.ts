/** What is wrong with a policy file, or surely not meant, and where. Pure; trusts no text of the file: it is escaped when it is printed. */
import type { Position } from './positions.js';

/** One thing about a policy file. An error keeps a broker from taking the file; a warning does not. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** The entry or value that is meant, for example `grant[2].names[0]`: counted from 0. Undefined for the file as a whole. */
  readonly at?: string;
  readonly position?: Position;
  readonly message: string;
}

/** The position of an entry, or of the nearest one around it that is known. */
export function positionOf(at: string, positions: ReadonlyMap<string, Position>): Position | undefined {
  for (let path = at; path !== ''; path = path.replace(/(?:\[\d+\]|\.?[^.[\]]+)$/, '')) {
    const position = positions.get(path);
    if (position !== undefined) return position;
  }
  return undefined;
}

/** A problem with an entry of a file whose positions are known. */
export function problemAt(
  severity: Problem['severity'],
  at: string,
  message: string,
  positions: ReadonlyMap<string, Position>,
): Problem {
  const position = positionOf(at, positions);
  return { severity, at, message, ...(position === undefined ? {} : { position }) };
}

/** `FILE:LINE:COLUMN: error: grant[0].may must be a list`, as compilers write it. */
export function problemLine(file: string, { severity, at, position, message }: Problem): string {
  const place = position === undefined ? file : `${file}:${position.line}:${position.column}`;
  return `${place}: ${severity}: ${at === undefined ? '' : `${at} `}${message}`;
}

/** By line and column; those without come first. */
export function byPosition(a: Problem, b: Problem): number {
  const line = (a.position?.line ?? 0) - (b.position?.line ?? 0);
  return line === 0 ? (a.position?.column ?? 0) - (b.position?.column ?? 0) : line;
}
