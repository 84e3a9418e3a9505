/** How a command of the tree gets its action: a function of src/commands whose module is loaded only when the command runs. */
import type { Command } from 'commander';
import type { Terminal } from './terminal/terminal.js';

/** A function of src/commands: the command's own arguments, all options, and where to print. */
export type Run<A extends unknown[], O> = (...parameters: [...A, O, Terminal]) => Promise<void>;

/** Wires an action to a function of a module that is loaded only now. */
export function runs<A extends unknown[], O>(
  command: Command,
  terminal: Terminal,
  load: () => Promise<Run<A, O>>,
): Command {
  return command.action(async (...parameters: unknown[]) => {
    // Commander appends the options and the command; the options of the program are wanted too.
    const own = parameters.slice(0, -2) as A;
    const run = await load();
    await run(...own, command.optsWithGlobals() as O, terminal);
  });
}
