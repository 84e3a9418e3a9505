// The table of an attack run: who did what, what came of it, and what the well-behaved client noticed.
import type { Result } from './stage.js';
import { WHO } from './users.js';
import type { Distribution } from './victim.js';

/** What the client's p99 under attack may be, in times of its undisturbed one, to hold. */
const GOAL = 3;

const TITLES = [
  'attack',
  'by',
  'attempts',
  'what came back',
  'undisturbed',
  'under attack',
  'ratio',
  'holds',
];

/** Whether a column is of numbers. */
const RIGHT = [false, false, true, false, true, true, true, false];

function times({ p50, p99, p999 }: Distribution): string {
  return [p50, p99, p999].map((us) => formatMicroseconds(us)).join(' / ');
}

function formatMicroseconds(us: number): string {
  if (us < 999.5) return `${Math.round(us)} us`;
  return us < 99_950 ? `${(us / 1_000).toFixed(1)} ms` : `${Math.round(us / 1_000)} ms`;
}

/** One text a column. */
export function rowOf({ attack, role, attempts, outcomes, undisturbed, attacked, faults }: Result): string[] {
  const ratio = attacked.took.p99 / undisturbed.took.p99;
  const answers = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return [
    attack.name,
    WHO[role],
    String(attempts),
    answers.join(', '),
    times(undisturbed.took),
    times(attacked.took),
    ratio.toFixed(1),
    faults.length > 0 ? 'FAILED' : ratio <= GOAL ? 'yes' : 'slower',
  ];
}

export function renderTable(results: readonly Result[], markdown: boolean): string {
  const rows = results.map(rowOf);
  if (markdown) {
    const rule = RIGHT.map((right) => (right ? '---:' : '---'));
    return [TITLES, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
  const widths = TITLES.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [TITLES, ...rows].map((cells) => align(cells, widths)).join('\n');
}

function align(cells: readonly string[], widths: readonly number[]): string {
  const aligned = cells.map((cell, column) => {
    const width = widths[column] ?? 0;
    return RIGHT[column] === true ? cell.padStart(width) : cell.padEnd(width);
  });
  return aligned.join('  ').trimEnd();
}
