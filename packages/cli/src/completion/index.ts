/** Completion scripts, made from the commands as they are: a command or option that is added is completed. Pure. */
import type { CommandEntry } from '../reference/tree.js';
import { bashScript } from './bash.js';
import { fishScript } from './fish.js';
import { zshScript } from './zsh.js';

/** The shells that there are scripts for. */
export type Shell = 'bash' | 'zsh' | 'fish';

const SCRIPTS: Readonly<Record<Shell, (program: CommandEntry) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script for a shell, as it is to be read by it. */
export function completionScript(shell: Shell, program: CommandEntry): string {
  return SCRIPTS[shell](program);
}
