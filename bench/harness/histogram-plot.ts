// Draws the histograms of a row, one line per side over common axes: sizes and shares, both logarithmic, so that one
// sample in ten thousand is as visible as the bulk.
import { formatValue } from './format.js';
import { type Histogram, upperBound } from './histogram.js';
import type { Row } from './row.js';
import { escapeXml, OURS, THEIRS, WIDTH } from './svg.js';

const HEIGHT = 130;
const LEFT = 70;
const RIGHT = 34;
/** Room for the title above, and for the ticks and the gap to the next drawing below. */
const TITLE = 22;
const TICKS = 34;
const COLOURS: readonly string[] = ['#d9822b', '#5a9e6f', '#8b5cf6'];

interface Axes {
  x(value: number): number;
  y(share: number): number;
}

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly histogram: Histogram;
  readonly total: number;
}

function linesOf(row: Row): Line[] {
  let theirs = 0;
  return Object.entries(row.histograms ?? {}).map(([name, histogram]) => ({
    name,
    colour: name === 'sealane' ? OURS : (COLOURS[theirs++ % COLOURS.length] ?? THEIRS),
    histogram,
    total: histogram.reduce((sum, [, count]) => sum + count, 0),
  }));
}

/** Powers of ten from the one at or below `low` to the one at or above `high`. */
function decades(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.max(Math.ceil(Math.log10(high)), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

function ends(values: readonly number[]): [first: number, last: number] {
  return [values[0] ?? 1, values.at(-1) ?? 10];
}

function logarithmic(values: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = ends(values).map(Math.log10) as [number, number];
  return (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
}

function outline(line: Line, axes: Axes): string {
  const floor = axes.y(0.5 / line.total);
  const points: string[] = [];
  let lastHigh = 0;
  for (const bucket of line.histogram) {
    const [low, count] = bucket;
    // A gap of empty buckets goes down to the floor; neighbours differ by rounding only.
    if (lastHigh > 0 && low > lastHigh * 1.001)
      points.push(at(axes.x(lastHigh), floor), at(axes.x(low), floor));
    if (lastHigh === 0) points.push(at(axes.x(low), floor));
    lastHigh = upperBound(bucket);
    const height = axes.y(count / line.total);
    points.push(at(axes.x(low), height), at(axes.x(lastHigh), height));
  }
  points.push(at(axes.x(lastHigh), floor));
  return `<polyline fill="none" stroke="${line.colour}" stroke-width="1.5" points="${points.join(' ')}"/>`;
}

function at(x: number, y: number): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}

function verticalTick(x: number, top: number, label: string): string {
  const bottom = top + HEIGHT;
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${bottom}" stroke="#e4e7eb"/><text x="${x.toFixed(1)}" y="${bottom + 13}" text-anchor="middle">${label}</text>`;
}

function horizontalTick(y: number, label: string): string {
  return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="#e4e7eb"/><text x="${LEFT - 6}" y="${(y + 4).toFixed(1)}" text-anchor="end">${label}</text>`;
}

function legend(lines: readonly Line[], y: number): string {
  return lines
    .map(
      (line, index) =>
        `<text x="${LEFT + 260 + index * 160}" y="${y}" fill="${line.colour}" font-weight="bold">${escapeXml(line.name)}</text>`,
    )
    .join('');
}

export interface Drawing {
  readonly svg: string;
  readonly height: number;
}

/** Undefined for a row without histograms. */
export function drawHistograms(row: Row, y: number): Drawing | undefined {
  const lines = linesOf(row).filter((line) => line.total > 0);
  if (lines.length === 0) return undefined;
  const buckets = lines.flatMap((line) => line.histogram);
  const sizes = decades(Math.min(...buckets.map(([low]) => low)), Math.max(...buckets.map(upperBound)));
  const shares = decades(0.5 / Math.max(...lines.map((line) => line.total)), 1);
  const top = y + TITLE;
  const axes: Axes = {
    x: logarithmic(sizes, LEFT, WIDTH - RIGHT),
    y: logarithmic(shares, top + HEIGHT, top),
  };
  const parts = [
    `<text x="8" y="${y + 12}" font-weight="bold">${escapeXml(row.id)}: share of samples</text>`,
    legend(lines, y + 12),
    ...sizes.map((size) => verticalTick(axes.x(size), top, formatValue(size, row.unit))),
    ...shares.map((share) => horizontalTick(axes.y(share), `${Number((share * 100).toPrecision(1))} %`)),
    ...lines.map((line) => outline(line, axes)),
  ];
  return { svg: parts.join('\n'), height: TITLE + HEIGHT + TICKS };
}
