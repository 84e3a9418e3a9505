/**
 * Ports of a service: a file each, in the service's folder. Owns how many there may be. Trusts the names of the files, which decide
 * who connects to whom, and doubts what is in them.
 */
import { join } from 'node:path';
import { assert } from '../../base/assert.js';
import { isRecord } from '../../base/check.js';
import { describe, isSealaneError, SealaneError } from '../../base/errors.js';
import { protocolError } from '../../wire/index.js';
import type { Domain } from './domain.js';
import { type FileRecord, listFolder, readRecord, removeEntry, writeLinked } from './files.js';
import type { PortLimit } from './messaging.js';
import { MAX_PORT, type PortKey, type PortKind, parsePortFileName, portFileName } from './names.js';
import { listEntries, nodeOwner } from './shared-files.js';
import { Census, removeEntries, sweepLocked } from './sweep.js';

/** Options of a port that others may see: for people and tools; what binds is agreed on at the connection. */
export type PortOptions = Readonly<Record<string, number | boolean | string>>;

/** A port of a service. */
export interface PortInfo extends PortKey {
  /** The process, as it says; undefined when its file can't be read. */
  readonly pid: number | undefined;
  readonly options: PortOptions;
  /** Why its file can't be read. */
  readonly problem: string | undefined;
}

/** A port that this node announced. Owns its file. */
export interface PortAnnouncement extends Disposable {
  readonly key: PortKey;
  /** Takes the port back. Idempotent; never throws. */
  withdraw(): void;
}

/** A service that ports are announced in. */
export interface PortPlace {
  readonly domain: Domain;
  readonly name: string;
  readonly folder: string;
  /** How many ports of a kind there may be. */
  limitOf(kind: PortKind): PortLimit;
}

/** Most options of one port, and most bytes of one that is text. */
const MAX_OPTIONS = 32;
const MAX_OPTION_BYTES = 256;

/**
 * Makes the file of a port, whose node has the service open and lives. Throws ERR_SEALANE_LIMIT_EXCEEDED, naming the setting, when the
 * service has as many living ones as it allows.
 */
export function announcePort(place: PortPlace, key: PortKey, options: PortOptions): PortAnnouncement {
  assert(Number.isInteger(key.port) && key.port >= 0 && key.port <= MAX_PORT, 'the number of a port');
  const path = join(place.folder, portFileName(key));
  place.domain.locked(() => {
    requireRoom(place, key);
    writeLinked(path, { pid: process.pid, options }, place.domain.files);
  });
  return new AnnouncedPort(key, path, place.domain);
}

class AnnouncedPort implements PortAnnouncement {
  #withdrawn = false;

  constructor(
    readonly key: PortKey,
    private readonly path: string,
    private readonly domain: Domain,
  ) {}

  /** Without the lock: one file is there or not, and nobody is to wait for the end of a port. */
  withdraw(): void {
    if (this.#withdrawn) return;
    this.#withdrawn = true;
    removeEntry(this.path, this.domain.files);
  }

  [Symbol.dispose](): void {
    this.withdraw();
  }
}

/** All ports in a folder, without looking into their files. */
export function listPortKeys(domain: Domain, folder: string): PortKey[] {
  return toKeys(listEntries(domain, folder));
}

/** All ports in a folder. One whose file can't be read is there all the same, with its problem. */
export function listPorts(domain: Domain, folder: string, names = listEntries(domain, folder)): PortInfo[] {
  return toKeys(names)
    .map((key) => readPort(domain, folder, key))
    .filter((port) => port !== undefined);
}

function toKeys(names: readonly string[]): PortKey[] {
  return names.map(parsePortFileName).filter((key) => key !== undefined);
}

/** A port; undefined when it is not there. Never throws. */
function readPort(domain: Domain, folder: string, key: PortKey): PortInfo | undefined {
  try {
    const owner = domain.shared && nodeOwner(domain, key.node);
    const content = readRecord(join(folder, portFileName(key)), parsePort, owner);
    return content === undefined ? undefined : { ...key, ...content, problem: undefined };
  } catch (error) {
    const problem = isSealaneError(error) ? error.message : String(error);
    return { ...key, pid: undefined, options: {}, problem };
  }
}

/** The dead are looked for only when there seems to be no room. */
function requireRoom(place: PortPlace, key: PortKey): void {
  const { setting, most } = place.limitOf(key.kind);
  if (countPorts(place, key).length < most) return;
  const census = new Census(place.domain, key.node);
  const dead = sweepLocked(
    place.domain,
    countPorts(place, key).map(({ node }) => node),
    census,
  );
  // Also where they take no part, as nobody leaves them but who was taken for dead before.
  removeEntries(place.domain, place.folder, listFolder(place.folder), dead);
  // In a shared domain some of the dead stay.
  const count = countPorts(place, key).filter(({ node }) => census.isAlive(node)).length;
  if (count < most) return;
  const message = `the service ${describe(place.name)} has ${count} ${key.kind}s, and its setting ${setting} allows ${most}`;
  throw new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `${message}: close one, or let its creator define more`,
  );
}

function countPorts({ domain, folder }: PortPlace, { kind }: PortKey): PortKey[] {
  return listPortKeys(domain, folder).filter((key) => key.kind === kind);
}

function parsePort({ pid, options }: FileRecord): Pick<PortInfo, 'pid' | 'options'> {
  if (!Number.isSafeInteger(pid) || (pid as number) < 1) throw protocolError(`its pid is ${describe(pid)}`);
  if (!isRecord(options)) throw protocolError(`its options are ${describe(options)}`);
  const entries = Object.entries(options);
  if (entries.length > MAX_OPTIONS)
    throw protocolError(`it has ${entries.length} options, and may have ${MAX_OPTIONS}`);
  const copy: Record<string, number | boolean | string> = Object.create(null);
  for (const [name, value] of entries) copy[name] = requireOption(name, value);
  return { pid: pid as number, options: copy };
}

function requireOption(name: string, value: unknown): number | boolean | string {
  const fits =
    ['number', 'boolean'].includes(typeof value) ||
    (typeof value === 'string' && value.length <= MAX_OPTION_BYTES);
  if (!fits || name.length > MAX_OPTION_BYTES)
    throw protocolError(`its option ${describe(name)} is ${describe(value)}`);
  return value as number | boolean | string;
}
