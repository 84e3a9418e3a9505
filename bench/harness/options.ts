// The command line of a benchmark program.
import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly markdown: string | undefined;
  readonly only: string | undefined;
  readonly quick: boolean;
  readonly help: boolean;
}

export const USAGE = `  --only ID      only the measurements whose id starts with ID (or that ID starts with)
  --quick        few rounds and small sizes: a check that everything works, not a figure to quote
  --json FILE    write the rows as JSON: [{ id, value, unit, ratio, to, target, holds, more, histograms }]
  --svg FILE     write a plot: bars, and histograms where they were kept
  --markdown FILE  write the rows, the machine and how each figure is measured as a document, with the plot of --svg in it
  --help`;

/** Throws a TypeError of node:util for an option that does not exist. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: 'string' },
      svg: { type: 'string' },
      markdown: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    json: values.json,
    svg: values.svg,
    markdown: values.markdown,
    only: values.only,
    quick: values.quick === true,
    help: values.help === true,
  };
}

/** Whether `--only` leaves room for an id: one is a prefix of the other, so a measurement of many ids is entered. */
export function selects(only: string | undefined, id: string): boolean {
  return only === undefined || id.startsWith(only) || only.startsWith(id);
}
