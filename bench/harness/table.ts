// The result table: its cells, which the document shares, and its layout for the terminal.
import { type Alignment, alignColumns, formatNumber, formatValue } from './format.js';
import type { Row } from './row.js';

export const COLUMNS: readonly { readonly title: string; readonly align: Alignment }[] = [
  { title: 'figure', align: 'left' },
  { title: 'value', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'p99.9', align: 'right' },
  { title: 'theirs', align: 'right' },
  { title: 'ratio', align: 'right' },
  { title: 'compared with', align: 'left' },
  { title: 'target', align: 'right' },
  { title: 'holds', align: 'left' },
];

// Figures of `more` that have a column of their own.
const COLUMN_FIGURES = new Set(['p99', 'p999', 'peer']);

const FURTHER =
  'Further figures, in the unit of the row (times in us) unless they say otherwise; peerP99 and peerP999 are theirs:';

function optional(row: Row, name: string): string {
  const value = row.more[name];
  return value === undefined ? '' : formatValue(value, row.unit);
}

function verdict(row: Row): string {
  if (row.holds === null) return '';
  return row.holds ? 'yes' : 'MISSED';
}

/** One text per column. */
export function rowCells(row: Row): string[] {
  return [
    row.id,
    formatValue(row.value, row.unit),
    optional(row, 'p99'),
    optional(row, 'p999'),
    optional(row, 'peer'),
    row.ratio === null ? '' : formatNumber(row.ratio),
    row.to ?? '',
    row.target ?? '',
    verdict(row),
  ];
}

export function renderTable(rows: readonly Row[]): string {
  const header = COLUMNS.map((column) => column.title);
  const alignments = COLUMNS.map((column) => column.align);
  return alignColumns([header, ...rows.map(rowCells)], alignments).join('\n');
}

/** What the ratios are, and which way they are better: a line for each measurement that says so of rows that are there. */
export function renderLegend(
  measurements: readonly { readonly ids: readonly string[]; readonly about: string }[],
  rows: readonly Row[],
): string {
  const lines = measurements.flatMap(({ ids, about }) => {
    const [, ratio] = about.match(/Ratio: ([^.]*? is better)/) ?? [];
    const compared = rows.filter((row) => row.ratio !== null && ids.some((id) => row.id.startsWith(id)));
    if (ratio === undefined || compared.length === 0) return [];
    return [`ratio of ${compared.map(({ id }) => id).join(', ')}: ${ratio.replace(/\s+/g, ' ')}`];
  });
  return lines.join('\n');
}

/** Figures that the table has no column for, a line per row that has some, under a line that says what they are. */
export function renderNotes(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => {
    const rest = Object.entries(row.more).filter(([name]) => !COLUMN_FIGURES.has(name));
    if (rest.length === 0) return [];
    const label = row.to === null ? row.id : `${row.id} (${row.to})`;
    return [`${label}: ${rest.map(([name, value]) => `${name} ${formatNumber(value)}`).join(', ')}`];
  });
  return lines.length === 0 ? '' : [FURTHER, ...lines].join('\n');
}
