/**
 * `sealane demo`: the main job on real files, beside two other ways to do it.
 * Owns a private temporary directory, and removes it on every path; what runs in it belongs to src/demo.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoReport, headline, plotsOf, renderReport, totalBytes, WAY_TITLES } from '../demo/report.js';
import { runDemo as runWays } from '../demo/run.js';
import { prepareShipments } from '../demo/shipments.js';
import { renderSvg } from '../demo/svg.js';
import { EXIT } from '../exit-codes.js';
import { usageError } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { StatusLine } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';

export interface DemoOptions {
  consumers: number;
  quick?: boolean;
  svg?: string;
}

const FULL_ROUNDS = 3;
/** More consumers than this would measure the scheduler. */
const MAX_CONSUMERS = 64;
/** A socket's path has at most 107 bytes; the directory must leave room for its name. */
const MAX_DIRECTORY_BYTES = 70;

/** Prints the report; the exit code says whether every digest was right. */
export async function runDemo(paths: string[], options: DemoOptions, terminal: Terminal): Promise<void> {
  if (options.consumers > MAX_CONSUMERS) {
    throw usageError(
      `invalid --consumers: ${options.consumers}`,
      `it takes a whole number from 1 to ${MAX_CONSUMERS}`,
    );
  }
  using interrupt = new Interrupt();
  const report = await deliver(paths, options, interrupt.signal, terminal);
  print(report, terminal);
  if (options.svg !== undefined) await writeFile(options.svg, renderSvg(headline(report), plotsOf(report)));
  if (report.results.some(({ figures }) => (figures?.wrong ?? 0) > 0)) process.exitCode = EXIT.badData;
}

async function deliver(
  paths: string[],
  options: DemoOptions,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<DemoReport> {
  const rounds = options.quick ? 1 : FULL_ROUNDS;
  using status = new StatusLine(terminal.err, terminal.json);
  status.show('reading and hashing the files');
  const shipments = await prepareShipments(paths, signal);
  const directory = await mkdtemp(join(privatePlace(), 'sealane-demo-'));
  try {
    const results = await runWays({
      shipments,
      consumers: options.consumers,
      rounds,
      directory,
      signal,
      onStep: (way, round) => status.show(`${WAY_TITLES[way]}: round ${round} of ${rounds}`),
    });
    return { files: shipments, consumers: options.consumers, rounds, results };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function privatePlace(): string {
  return Buffer.byteLength(tmpdir()) > MAX_DIRECTORY_BYTES ? '/tmp' : tmpdir();
}

function print(report: DemoReport, terminal: Terminal): void {
  const { out } = terminal;
  const layout = { ...out.layout, unicode: out.unicode };
  if (terminal.json) terminal.writeJson(toJson(report));
  else for (const line of renderReport(report, layout)) out.line(line);
}

function toJson(report: DemoReport): Record<string, unknown> {
  return {
    files: report.files.map(({ path, size }) => ({ path, size })),
    bytes: totalBytes(report),
    consumers: report.consumers,
    rounds: report.rounds,
    machine: { node: process.version, arch: process.arch, cores: cpus().length },
    ways: report.results,
    verified: report.results.every(({ figures }) => (figures?.wrong ?? 0) === 0),
  };
}
