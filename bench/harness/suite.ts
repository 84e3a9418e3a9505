// Runs a list of measurements one after the other, and writes what they found: table, JSON, plot, document.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { describeMachine, type Machine, machineLine } from './machine.js';
import { renderMarkdown } from './markdown.js';
import { type BenchOptions, parseOptions, selects, USAGE } from './options.js';
import { renderSvg } from './plot.js';
import { Progress } from './progress.js';
import type { Row } from './row.js';
import { renderLegend, renderNotes, renderTable } from './table.js';

export interface Context {
  readonly quick: boolean;
  /** Says what is going on now; shown on a terminal only. Costs a write: call it between batches. */
  progress(text: string): void;
  /** Says what a measurement goes without, and why. */
  leaveOut(what: string, reason: string): void;
  /** Whether rows of this id are wanted (--only). */
  wants(id: string): boolean;
}

export interface Measurement {
  /** The ids it produces, or prefixes of them. */
  readonly ids: readonly string[];
  /**
   * What both sides do and why that is fair: for the document. Where it says "Ratio: A / B, smaller is better.", or larger, the table's legend
   * says so too.
   */
  readonly about: string;
  run(context: Context): Promise<readonly Row[]>;
}

/** Thrown by a measurement that this machine has not the means for; the message is the reason. */
export class Skipped extends Error {}

export interface Suite {
  readonly title: string;
  /** How to start it, for --help and the document. */
  readonly command: string;
  /** A sentence with a link to the document of the other suite. Each suite writes a document of its own. */
  readonly seeAlso: string;
  readonly measurements: readonly Measurement[];
}

async function measure(
  measurement: Measurement,
  options: BenchOptions,
  progress: Progress,
): Promise<readonly Row[]> {
  const label = measurement.ids[0] ?? '';
  progress.show(label);
  const rows = await measurement.run({
    quick: options.quick,
    progress: (text) => progress.show(`${label}: ${text}`),
    leaveOut: (what, reason) => {
      progress.clear();
      console.error(`${label}: without ${what}: ${reason}`);
    },
    wants: (id) => selects(options.only, id),
  });
  return rows.filter((row) => options.only === undefined || row.id.startsWith(options.only));
}

function isWanted(measurement: Measurement, options: BenchOptions): boolean {
  return measurement.ids.some((id) => selects(options.only, id));
}

/** A failed measurement does not take the others with it, but fails the run. */
async function measureAll(suite: Suite, options: BenchOptions): Promise<Row[]> {
  const progress = new Progress();
  const rows: Row[] = [];
  for (const measurement of suite.measurements) {
    if (!isWanted(measurement, options)) continue;
    try {
      rows.push(...(await measure(measurement, options, progress)));
    } catch (error) {
      progress.clear();
      report(measurement, error);
    }
    progress.clear();
  }
  return rows;
}

function report(measurement: Measurement, error: unknown): void {
  const ids = measurement.ids.join(', ');
  if (error instanceof Skipped) {
    console.error(`${ids}: skipped: ${error.message}`);
    return;
  }
  console.error(`${ids}: failed:`, error);
  process.exitCode = 1;
}

function save(suite: Suite, options: BenchOptions, machine: Machine, rows: readonly Row[]): void {
  for (const path of [options.json, options.svg, options.markdown]) {
    if (path !== undefined) mkdirSync(dirname(path), { recursive: true });
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, renderSvg(suite.title, rows));
  if (options.markdown !== undefined) {
    const plot = options.svg === undefined ? undefined : relative(dirname(options.markdown), options.svg);
    writeFileSync(options.markdown, renderMarkdown(suite, { machine, rows, quick: options.quick, plot }));
  }
}

function summaryLine(rows: readonly Row[], seconds: number): string {
  const held = rows.filter((row) => row.holds === true).length;
  const missed = rows.filter((row) => row.holds === false).map((row) => row.id);
  const text = `${held} of ${held + missed.length} targets hold; ${seconds.toFixed(0)} s`;
  return missed.length === 0 ? text : `${text}; missed: ${missed.join(', ')}`;
}

/** The whole program: options, measurements, output. Sets the exit code to 1 if a measurement failed. */
export async function runSuite(suite: Suite, argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv);
  if (options.help) {
    const ids = suite.measurements.flatMap((measurement) => measurement.ids);
    console.log(`${suite.title}\n\n${suite.command} -- [options]\n${USAGE}\n\nIds: ${ids.join(', ')}`);
    return;
  }
  if (!suite.measurements.some((measurement) => isWanted(measurement, options))) {
    console.error(`no measurement has an id that starts with ${options.only}; see --help`);
    process.exitCode = 2;
    return;
  }
  const start = performance.now();
  const machine = describeMachine();
  console.log(machineLine(machine));
  const rows = await measureAll(suite, options);
  if (rows.length > 0) console.log(`\n${renderTable(rows)}\n`);
  for (const text of [renderLegend(suite.measurements, rows), renderNotes(rows)])
    if (text !== '') console.log(`${text}\n`);
  save(suite, options, machine, rows);
  if (options.quick) console.log('A quick run: too few rounds for figures to quote.');
  console.log(summaryLine(rows, (performance.now() - start) / 1000));
}
