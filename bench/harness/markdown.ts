// The benchmark document: the machine, the rows of one run, and how each figure is measured.
import { type Machine, machineLine } from './machine.js';
import type { Row } from './row.js';
import type { Suite } from './suite.js';
import { COLUMNS, renderNotes, rowCells } from './table.js';

/** A table whose source lines up too, as the formatter wants it. */
function resultTable(rows: readonly Row[]): string {
  const header = COLUMNS.map((column) => column.title);
  const cells = [header, ...rows.map(rowCells)];
  const widths = COLUMNS.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? '').length)));
  const rule = COLUMNS.map((column, index) => {
    const dashes = '-'.repeat(widths[index] ?? 0);
    return column.align === 'right' ? `${dashes.slice(1)}:` : dashes;
  });
  const padded = cells.map((row) =>
    COLUMNS.map((column, index) => {
      const width = widths[index] ?? 0;
      const text = row[index] ?? '';
      return column.align === 'right' ? text.padStart(width) : text.padEnd(width);
    }),
  );
  const [first = [], ...rest] = padded;
  return [first, rule, ...rest].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function methods(suite: Suite): string {
  return suite.measurements
    .map((measurement) => `### ${measurement.ids.join(', ')}\n\n${measurement.about.trim()}\n`)
    .join('\n');
}

/** One run. */
export interface Recorded {
  readonly machine: Machine;
  readonly rows: readonly Row[];
  readonly quick: boolean;
  /** Where the plot lies, seen from the document; undefined: none was drawn. */
  readonly plot: string | undefined;
}

export function renderMarkdown(suite: Suite, { machine, rows, quick, plot }: Recorded): string {
  const warning = quick ? '\n**From a quick run: too few rounds for figures to quote.**\n' : '';
  const picture = plot === undefined ? '' : `![The figures of this run](${plot})\n\n`;
  return `# ${suite.title}

Written by \`${suite.command} -- --markdown FILE\`; not edited by hand. ${suite.seeAlso}
${warning}
Machine: ${machineLine(machine)}.

Values are medians over all samples. A ratio is taken within each round of an interleaved run (A B A B ...), and the
median over the rounds is shown: it holds better from machine to machine than the values do.

## Results

${picture}${resultTable(rows)}

\`\`\`
${renderNotes(rows)}
\`\`\`

## How it is measured

${methods(suite)}`;
}
