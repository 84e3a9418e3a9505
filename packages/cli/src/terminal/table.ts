/**
 * Tables for people. Pure: cells come in escaped and without styles, lines go out; colour is put on after the
 * layout.
 */
import type { Style } from './style.js';
import { displayWidth, pad, shorten } from './width.js';

/** One column of a table. */
export interface Column {
  title: string;
  align?: 'left' | 'right';
  /** Shortened when the table is wider than the terminal. At most one column should be. */
  flexible?: boolean;
  /** Left out when every cell of it is empty. */
  optional?: boolean;
  /** Left out when the flexible column would be shortened otherwise. */
  yields?: boolean;
}

/** How a table is laid out. */
export interface TableLayout {
  style: Style;
  /** Columns of the terminal; undefined: as wide as it gets. */
  width?: number | undefined;
  /** What ends a shortened cell. */
  ellipsis: string;
  /** Spaces before each line. */
  indent?: number;
}

const GAP = '  ';
/** A flexible column is never narrower than this: what is left of a name must still tell something. */
const MIN_FLEXIBLE_WIDTH = 8;

/** The lines of a table, title first. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  layout: TableLayout,
): string[] {
  const filled = columns.map((_, i) => i).filter((i) => !columns[i]?.optional || rows.some((row) => row[i]));
  const shown = fits(columns, filled, rows, layout) ? filled : filled.filter((i) => !columns[i]?.yields);
  const picked = shown.map((i) => columns[i] as Column);
  const cells = rows.map((row) => shown.map((i) => row[i] ?? ''));
  const widths = columnWidths(picked, cells, layout);
  const title = line(
    picked,
    widths,
    layout,
    picked.map(({ title }) => title),
  );
  return [layout.style.dim(title), ...cells.map((row) => line(picked, widths, layout, row))];
}

/** Whether a table of these columns is as wide as it is allowed to be, with nothing shortened. */
function fits(
  columns: readonly Column[],
  picked: readonly number[],
  rows: readonly (readonly string[])[],
  layout: TableLayout,
): boolean {
  const widths = picked.map((i) => naturalWidth(columns[i] as Column, i, rows));
  return layout.width === undefined || totalWidth(widths, layout) <= layout.width;
}

function naturalWidth(column: Column, i: number, rows: readonly (readonly string[])[]): number {
  return rows.reduce(
    (widest, row) => Math.max(widest, displayWidth(row[i] ?? '')),
    displayWidth(column.title),
  );
}

function totalWidth(widths: readonly number[], layout: TableLayout): number {
  return widths.reduce((sum, width) => sum + width + GAP.length, (layout.indent ?? 0) - GAP.length);
}

function columnWidths(columns: readonly Column[], rows: readonly string[][], layout: TableLayout): number[] {
  const widths = columns.map((column, i) => naturalWidth(column, i, rows));
  const flexible = columns.findIndex((column) => column.flexible);
  if (flexible < 0 || layout.width === undefined) return widths;
  const excess = Math.max(0, totalWidth(widths, layout) - layout.width);
  const full = widths[flexible] ?? 0;
  widths[flexible] = Math.max(Math.min(MIN_FLEXIBLE_WIDTH, full), full - excess);
  return widths;
}

function line(
  columns: readonly Column[],
  widths: readonly number[],
  layout: TableLayout,
  cells: readonly string[],
): string {
  const last = columns.length - 1;
  const padded = columns.map(({ align }, i) => {
    const text = shorten(cells[i] ?? '', widths[i] ?? 0, layout.ellipsis);
    // The last left-aligned cell gets no padding: trailing spaces wrap lines and soil what is copied.
    return i === last && align !== 'right' ? text : pad(text, widths[i] ?? 0, align ?? 'left');
  });
  return ' '.repeat(layout.indent ?? 0) + padded.join(GAP);
}
