/** `sealane list`: the objects that a job may see. */
import type { BlobInfo } from 'sealane';
import { type Column, renderTable } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { type BusOptions, OBJECT_COLUMNS, toJson, toLine, toRow, withBus } from './bus.js';

export interface ListOptions extends BusOptions {
  /** Whether to have digests computed. Undefined: for lines, whose fifth field is one in the lists of memfdbus. */
  digests?: boolean;
}

/** Prints a table on a terminal, a line for each object elsewhere, JSON Lines when asked. */
export async function runList(
  pattern: string | undefined,
  options: ListOptions,
  terminal: Terminal,
): Promise<void> {
  await withBus(options, async (bus, interrupt) => {
    interrupt.release();
    const selection = pattern === undefined ? {} : { pattern };
    const asTable = !terminal.json && terminal.out.terminal;
    const objects = bus.list({ ...selection, digests: options.digests ?? !(asTable || terminal.json) });
    if (asTable) return await printTable(objects, pattern, columnsFor(options), terminal);
    for await (const info of objects) {
      if (terminal.json) terminal.writeJson(toJson(info));
      else terminal.out.line(toLine(info));
    }
  });
}

/** Digests that were asked for make room for nothing. */
function columnsFor({ digests }: ListOptions): readonly Column[] {
  return digests === true ? OBJECT_COLUMNS.map((column) => ({ ...column, yields: false })) : OBJECT_COLUMNS;
}

async function printTable(
  objects: AsyncIterable<BlobInfo>,
  pattern: string | undefined,
  columns: readonly Column[],
  terminal: Terminal,
): Promise<void> {
  const rows: string[][] = [];
  const nowMs = Date.now();
  for await (const info of objects) rows.push(toRow(info, nowMs));
  if (rows.length > 0) {
    for (const line of renderTable(columns, rows, terminal.out.layout)) terminal.out.line(line);
    return;
  }
  const none = pattern === undefined ? 'no objects; `sealane put FILE` publishes one' : 'no object matches';
  terminal.err.line(terminal.err.style.dim(none));
}
