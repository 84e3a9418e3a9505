/**
 * `sealane __objects`: what a shell completes targets with, one a line. Never shown in a help. Trusts no name: those that a shell or
 * the command line could take for something else are left out.
 */
import { connect } from 'sealane';
import { DIGEST, DIGITS } from '../arguments.js';
import { escapeText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';
import { type BusOptions, toConnectOptions } from './bus.js';

/** How long a person who pressed a key is kept waiting, in milliseconds. */
const PATIENCE_MS = 1_000;

/** Nobody looks through more. */
const MAX_OBJECTS = 1_000;

/** Prints the targets that there are; nothing when there is no broker, or none that answers soon. Never rejects. */
export async function runObjects(options: BusOptions, terminal: Terminal): Promise<void> {
  const targets = new Set<string>();
  try {
    await collectTargets(options, targets);
  } catch {
    // What was found until then is better than nothing, and a message would tear the line that is being typed.
  }
  for (const target of targets) terminal.out.line(target);
}

async function collectTargets(options: BusOptions, targets: Set<string>): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  await using bus = await connect({ ...toConnectOptions(options), timeoutMs: PATIENCE_MS, signal });
  let count = 0;
  for await (const { id, name } of bus.list({ signal })) {
    if (++count > MAX_OBJECTS) return;
    if (name === undefined) targets.add(String(id));
    else if (isPlain(name)) targets.add(name);
  }
}

/** Whether a name is itself as an argument: no option, no id, no digest, and nothing in it that a terminal obeys. */
function isPlain(name: string): boolean {
  return !name.startsWith('-') && !DIGITS.test(name) && !DIGEST.test(name) && escapeText(name) === name;
}
