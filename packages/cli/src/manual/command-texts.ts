/** What a manual page of a command may say beyond the help. */
import type { Block, Section } from './roff.js';

/** What is written by hand for a command. */
export interface CommandTexts {
  /** Follows the summary. */
  readonly description?: readonly Block[];
  /** Stand before the exit status. */
  readonly sections?: readonly Section[];
  /** What the program may return, where that is not said for all commands. */
  readonly exitStatus?: string;
  readonly examples?: readonly string[];
  readonly seeAlso?: readonly string[];
}
