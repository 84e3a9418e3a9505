/** `sealane drop`: takes an object off the bus. */
import { parseTarget, type TargetOptions } from '../arguments.js';
import type { Terminal } from '../terminal/terminal.js';
import { type BusOptions, toJson, withBus } from './bus.js';

export interface DropOptions extends BusOptions, TargetOptions {}

/** Prints the id of what was dropped: by name that is the newest object of the name. */
export async function runDrop(argument: string, options: DropOptions, terminal: Terminal): Promise<void> {
  const target = parseTarget(argument, options);
  const info = await withBus(options, (bus) => bus.drop(target));
  if (terminal.json) terminal.writeJson(toJson(info));
  else terminal.out.line(String(info.id));
}
