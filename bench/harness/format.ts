// Numbers and columns as text, shared by the terminal's table, the document and the plot.

/** Four significant digits without an exponent; thousands are grouped. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

const TIME_UNITS: readonly (readonly [limitUs: number, factor: number, unit: string])[] = [
  [1, 1000, 'ns'],
  [1000, 1, 'us'],
  [1_000_000, 1e-3, 'ms'],
  [Number.POSITIVE_INFINITY, 1e-6, 's'],
];

/** A value with its unit; microseconds are shown as ns, ms or s where that reads better. NaN: nothing. */
export function formatValue(value: number, unit: string): string {
  if (Number.isNaN(value)) return '-';
  if (unit !== 'us') return `${formatNumber(value)} ${unit}`;
  const [, factor, shown] = TIME_UNITS.find(([limit]) => Math.abs(value) < limit) ?? [0, 1, 'us'];
  return `${formatNumber(value * factor)} ${shown}`;
}

export type Alignment = 'left' | 'right';

/** Lines of columns padded to equal width; `cells[0]` is the header. */
export function alignColumns(
  cells: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string[] {
  const widths = alignments.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) =>
    widths
      .map((width, column) => {
        const text = row[column] ?? '';
        return alignments[column] === 'right' ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
