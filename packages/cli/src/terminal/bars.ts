/** Bars made of characters. Pure. */

const EIGHTHS = ['', '\u258f', '\u258e', '\u258d', '\u258c', '\u258b', '\u258a', '\u2589'] as const;
const FULL = '\u2588';

/**
 * A bar of `fraction` (0 to 1) of `columns`. With Unicode its length is exact to an eighth of a column. What
 * is not nothing shows at least the smallest piece.
 */
export function bar(fraction: number, columns: number, unicode: boolean): string {
  const share = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0));
  if (!unicode) return '#'.repeat(share > 0 ? Math.max(1, Math.round(share * columns)) : 0);
  const eighths = share > 0 ? Math.max(1, Math.round(share * columns * 8)) : 0;
  return FULL.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

/** A bar in its track, always `columns` wide: for progress. */
export function track(fraction: number, columns: number, unicode: boolean): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * columns);
  const [on, off] = unicode ? [FULL, '\u2591'] : ['#', '.'];
  return on.repeat(filled) + off.repeat(columns - filled);
}
