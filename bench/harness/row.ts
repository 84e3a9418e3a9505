// One row of results, as the table prints it and the JSON file carries it, and the targets that a row is held to.
import type { Histogram } from './histogram.js';

/** What a ratio is held to. `atMost`: smaller is better. `atLeast`: larger is better. */
export type Target = { readonly atMost: number } | { readonly atLeast: number };

export interface Row {
  readonly id: string;
  /** Our figure: a median, in `unit`. NaN, which JSON writes as null: only the other side was measured. */
  readonly value: number;
  readonly unit: string;
  /** Against `to`; the measurement's description says which way round. Null where nothing is compared. */
  readonly ratio: number | null;
  readonly to: string | null;
  readonly target: string | null;
  /** Whether the target is reached; null without a target. */
  readonly holds: boolean | null;
  /** Further figures of the same run by name, in `unit` unless the name says otherwise. */
  readonly more: Readonly<Record<string, number>>;
  /** How the samples of each side spread, in `unit`; ours is called sealane. */
  readonly histograms?: Readonly<Record<string, Histogram>>;
}

export interface RowParts {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly ratio?: number;
  readonly to?: string;
  readonly target?: Target;
  readonly more?: Readonly<Record<string, number>>;
  readonly histograms?: Readonly<Record<string, Histogram>>;
}

function describeTarget(target: Target): string {
  return 'atMost' in target ? `<= ${target.atMost}` : `>= ${target.atLeast}`;
}

function reaches(ratio: number, target: Target): boolean {
  return 'atMost' in target ? ratio <= target.atMost : ratio >= target.atLeast;
}

/** Four significant digits: more would be noise, and would make two runs' files differ everywhere. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

export function makeRow(parts: RowParts): Row {
  const { ratio, target } = parts;
  const more = Object.entries(parts.more ?? {}).map(([name, value]) => [name, rounded(value)] as const);
  return {
    id: parts.id,
    value: rounded(parts.value),
    unit: parts.unit,
    ratio: ratio === undefined ? null : rounded(ratio),
    to: parts.to ?? null,
    target: target === undefined ? null : describeTarget(target),
    holds: target === undefined || ratio === undefined ? null : reaches(ratio, target),
    more: Object.fromEntries(more),
    ...(parts.histograms === undefined ? {} : { histograms: parts.histograms }),
  };
}
