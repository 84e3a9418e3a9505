// The benchmark document: the machine, the rows of one run, and how each figure is measured.
import { type Machine, machineLine } from './machine.js';
import type { Row } from './row.js';
import type { Suite } from './suite.js';
import { COLUMNS, renderNotes, rowCells } from './table.js';

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function resultTable(rows: readonly Row[]): string {
  const header = tableRow(COLUMNS.map((column) => column.title));
  const rule = `|${COLUMNS.map((column) => (column.align === 'right' ? '--:' : '---')).join('|')}|`;
  return [header, rule, ...rows.map((row) => tableRow(rowCells(row)))].join('\n');
}

function methods(suite: Suite): string {
  return suite.measurements
    .map((measurement) => `### ${measurement.ids.join(', ')}\n\n${measurement.about.trim()}\n`)
    .join('\n');
}

export function renderMarkdown(suite: Suite, machine: Machine, rows: readonly Row[], quick: boolean): string {
  const warning = quick ? '\n**From a quick run: too few rounds for figures to quote.**\n' : '';
  return `# ${suite.title}

Written by \`${suite.command} -- --markdown FILE\`; not edited by hand.
${warning}
Machine: ${machineLine(machine)}.

Values are medians over all samples. A ratio is taken within each round of an interleaved run (A B A B ...), and the
median over the rounds is shown: it holds better from machine to machine than the values do.

## Results

${resultTable(rows)}

Further figures of the same run (times in microseconds unless they say otherwise):

\`\`\`
${renderNotes(rows)}
\`\`\`

## How it is measured

${methods(suite)}`;
}
