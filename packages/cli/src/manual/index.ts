/** The manual of the command as it is, for scripts/make-man.mjs. */
import { createProgram } from '../program.js';
import { describeProgram } from '../reference/tree.js';
import { Terminal } from '../terminal/terminal.js';
import { renderManual } from './pages.js';

/** All pages as roff, by the name of their file. `version` is the package's. */
export function manual(version: string): Map<string, string> {
  return renderManual(describeProgram(createProgram(new Terminal({ json: false, colour: false }))), version);
}
