/**
 * `sealane __services` and `__nodes`: what a shell completes their arguments with, one a line. Never shown in a help. Trusts no name:
 * those that a shell or the command line could take for something else are left out.
 */
import { listNodes, listServices } from 'sealane';
import { type DomainOptions, placeOf } from '../messaging/participate.js';
import { escapeText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';

/** Nobody looks through more. */
const MAX_NAMES = 1_000;

/** Prints the names of the services that are there. Never rejects. */
export async function runServiceNames(options: DomainOptions, terminal: Terminal): Promise<void> {
  const services = await quietly(() => listServices(placeOf(options)));
  print(
    services.filter(({ alive }) => alive).map(({ name }) => name),
    terminal,
  );
}

/** Prints the names of the nodes that are there, and the ids of those that share one. Never rejects. */
export async function runNodeNames(options: DomainOptions, terminal: Terminal): Promise<void> {
  const nodes = (await quietly(() => listNodes(placeOf(options)))).filter(({ state }) => state === 'alive');
  const shared = (name: string | undefined) => nodes.filter((node) => node.name === name).length > 1;
  print(
    nodes.map(({ id, name }) => (name === undefined || shared(name) ? id : name)),
    terminal,
  );
}

/** Nothing is better than a message that tears the line that is being typed. */
async function quietly<T>(look: () => Promise<T[]>): Promise<T[]> {
  try {
    return await look();
  } catch {
    return [];
  }
}

function print(names: readonly (string | undefined)[], terminal: Terminal): void {
  const plain = names.filter(
    (name) => name !== undefined && !name.startsWith('-') && escapeText(name) === name,
  );
  for (const name of plain.slice(0, MAX_NAMES)) terminal.out.line(name ?? '');
}
