/** `sealane watch`: a line for each version of the names that match. */
import type { BlobInfo } from 'sealane';
import { field } from '../terminal/escape.js';
import type { Style } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes } from '../terminal/units.js';
import { type BusOptions, toJson, toLine, withBus } from './bus.js';

export interface WatchCommandOptions extends BusOptions {
  every?: boolean;
  /** false: `--no-existing`. */
  existing: boolean;
  literal?: boolean;
  count?: number;
}

/** Prints until `--count` is reached or a signal comes. */
export async function runWatch(
  pattern: string,
  options: WatchCommandOptions,
  terminal: Terminal,
): Promise<void> {
  await withBus(options, async (bus, { signal }) => {
    const { every = false, existing, literal = false } = options;
    let left = options.count ?? Number.POSITIVE_INFINITY;
    for await (const blob of bus.watch(pattern, { every, existing, literal, signal })) {
      // Only the description is wanted: the memory is let go before the next version is asked for.
      blob.close();
      print(blob.info, terminal);
      if (--left <= 0) return;
    }
  });
}

function print(info: BlobInfo, terminal: Terminal): void {
  const { out } = terminal;
  if (terminal.json) terminal.writeJson(toJson(info));
  else out.line(out.terminal ? toTerminalLine(info, out.style) : toLine(info));
}

function toTerminalLine(info: BlobInfo, style: Style): string {
  const time = style.dim(info.createdAt.toTimeString().slice(0, 8));
  const id = style.cyan(String(info.id).padStart(6));
  return `${time}  ${id}  ${formatBytes(info.size).padStart(9)}  ${field(info.name)}`;
}
