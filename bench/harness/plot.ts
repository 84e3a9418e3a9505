// A plain SVG plot of the rows that were measured in time: bars for ours and what it is compared with, on a
// logarithmic axis, one group per id; below them the histograms of the rows that carry some.
import { formatValue } from './format.js';
import { drawHistograms } from './histogram-plot.js';
import type { Row } from './row.js';
import { escapeXml, OURS, THEIRS, WIDTH } from './svg.js';

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly ours: boolean;
}

interface Group {
  readonly id: string;
  readonly bars: Bar[];
}

const LABEL_WIDTH = 300;
const VALUE_WIDTH = 90;
const BAR_HEIGHT = 14;
const GROUP_GAP = 26;
const TOP = 40;

/** None for what was not measured, nor for a difference that noise made negative: neither has a logarithm. */
function barOf(label: string, value: number, ours: boolean): Bar[] {
  return value > 0 ? [{ label, value, ours }] : [];
}

/** Rows carry the other side's figure as `peer`. Rows that share an id share a group, and our bar. */
function groupsOf(rows: readonly Row[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const peer = row.more.peer;
    if (row.unit !== 'us' || peer === undefined || row.to === null) continue;
    const group = groups.get(row.id) ?? {
      id: row.id,
      bars: barOf('sealane', row.value, true),
    };
    group.bars.push(...barOf(row.to, peer, false));
    groups.set(row.id, group);
  }
  return [...groups.values()];
}

/** Maps a value to a bar's length; the smallest one still gets a visible bar. */
function logarithmicScale(values: readonly number[]): (value: number) => number {
  const low = Math.log10(Math.min(...values)) - 0.2;
  const span = Math.max(Math.log10(Math.max(...values)) - low, 0.1);
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  return (value) => ((Math.log10(value) - low) / span) * room;
}

function drawBar(bar: Bar, y: number, length: number): string {
  const text = y + BAR_HEIGHT - 3;
  const name = `<text x="${LABEL_WIDTH - 8}" y="${text}" text-anchor="end">${escapeXml(bar.label)}</text>`;
  const box = `<rect x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT - 2}" fill="${bar.ours ? OURS : THEIRS}"/>`;
  const value = `<text x="${(LABEL_WIDTH + length + 6).toFixed(1)}" y="${text}">${formatValue(bar.value, 'us')}</text>`;
  return name + box + value;
}

export function renderSvg(title: string, rows: readonly Row[]): string {
  const groups = groupsOf(rows);
  const values = groups.flatMap((group) => group.bars.map((bar) => bar.value));
  const lengthOf = logarithmicScale(values.length === 0 ? [1] : values);
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    parts.push(`<text x="8" y="${y + BAR_HEIGHT - 3}" font-weight="bold">${escapeXml(group.id)}</text>`);
    for (const bar of group.bars) {
      parts.push(drawBar(bar, y, lengthOf(bar.value)));
      y += BAR_HEIGHT;
    }
    y += GROUP_GAP - BAR_HEIGHT;
  }
  for (const row of rows) {
    const drawing = drawHistograms(row, y);
    if (drawing === undefined) continue;
    parts.push(drawing.svg);
    y += drawing.height;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 10}" font-family="sans-serif" font-size="11">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="white"/>
<text x="8" y="20" font-size="14">${escapeXml(title)} (time, logarithmic; shorter is better)</text>
${parts.join('\n')}
</svg>
`;
}
