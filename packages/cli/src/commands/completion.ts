/** `sealane completion`: the script that teaches a shell the commands, their options, and the names of objects. */
import { completionScript, type Shell } from '../completion/index.js';
import { createProgram } from '../program.js';
import { describeProgram } from '../reference/tree.js';
import type { Terminal } from '../terminal/terminal.js';

/** Prints the script. */
export async function runCompletion(shell: Shell, _options: unknown, terminal: Terminal): Promise<void> {
  terminal.out.write(completionScript(shell, describeProgram(createProgram(terminal))));
}
