/**
 * Names: of domains, nodes and services, which people choose, and of the files that stand for them. Pure. A file whose name is not
 * one of these is none of ours, whoever made it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { checkText } from '../../base/check.js';
import { invalidArgument } from '../../base/errors.js';

/** Longest name of a node or service, in bytes of UTF-8: it is shown in tables, and kept in files that are read whole. */
export const MAX_SERVICE_NAME_BYTES = 256;

/** The domain of those who name none. */
export const DEFAULT_DOMAIN = 'default';

/** What a port does in a service. */
export type PortKind = 'publisher' | 'subscriber' | 'notifier' | 'listener';

/** A port of a service, as its file's name says. */
export interface PortKey {
  /** The node that it belongs to: 16 hexadecimal digits. */
  readonly node: string;
  /** Its number among the ports of that node. */
  readonly port: number;
  readonly kind: PortKind;
}

const DOMAIN = /^(?!\.)[A-Za-z0-9._-]{1,32}$/;
const NODE_ID = /^[0-9a-f]{16}$/;
const NODE_FILE = /^([0-9a-f]{16})\.(?:sock|new|json|json\.new)$/;
const PORT_FILE = /^([0-9a-f]{16})-([0-9a-f]{8})\.([a-z]{3})$/;
const SERVICE_FOLDER = /^[0-9a-f]{20}$/;

/** How the names of the files of ports end. */
const ENDINGS: Readonly<Record<PortKind, string>> = {
  publisher: 'pub',
  subscriber: 'sub',
  notifier: 'ntf',
  listener: 'lsn',
};
const KINDS: ReadonlyMap<string, PortKind> = new Map(
  Object.entries(ENDINGS).map(([kind, ending]) => [ending, kind as PortKind]),
);

/** The greatest number of a port: it has 8 hexadecimal digits. */
export const MAX_PORT = 0xffff_ffff;

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless `value` names a domain: it becomes part of a path. */
export function checkDomainName(value: unknown): asserts value is string {
  if (typeof value !== 'string' || !DOMAIN.test(value)) {
    const must = 'have 1 to 32 of the characters A-Z a-z 0-9 . _ - and not start with a dot';
    throw invalidArgument('domain', must, value);
  }
}

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless `value` can name a service or node; `what` says which argument it is. */
export function checkName(what: string, value: unknown): asserts value is string {
  checkText(what, value, 1, MAX_SERVICE_NAME_BYTES);
  if (/\p{Cc}/u.test(value)) throw invalidArgument(what, 'have no control characters', value);
}

/** An id for a new node: nobody else has it, nor ever had. */
export function newNodeId(): string {
  return randomBytes(8).toString('hex');
}

/** Whether `value` is the id of a node. */
export function isNodeId(value: string): boolean {
  return NODE_ID.test(value);
}

/** The node that a file in the folder of nodes belongs to, whatever state it was left in. */
export function nodeOfFile(name: string): string | undefined {
  return NODE_FILE.exec(name)?.[1];
}

/** The node that a file in the folder of a service belongs to: its participation, a port, or one that was never completed. */
export function nodeOfEntry(name: string): string | undefined {
  const node = name.slice(0, 16);
  return isNodeId(node) && /^(?:$|[-.])/.test(name.slice(16)) ? node : undefined;
}

/** The folder of a service: a name of any characters becomes one of 20 hexadecimal digits. */
export function serviceFolderName(service: string): string {
  return createHash('sha256').update(service).digest('hex').slice(0, 20);
}

/** Whether a folder of the services is one of a service, neither half made nor half removed. */
export function isServiceFolder(name: string): boolean {
  return SERVICE_FOLDER.test(name);
}

/** The file that stands for a port. */
export function portFileName({ node, port, kind }: PortKey): string {
  return `${node}-${port.toString(16).padStart(8, '0')}.${ENDINGS[kind]}`;
}

/** The port that a file stands for; undefined: it stands for none. */
export function parsePortFileName(name: string): PortKey | undefined {
  const [, node, port, ending = ''] = PORT_FILE.exec(name) ?? [];
  const kind = KINDS.get(ending);
  if (node === undefined || port === undefined || kind === undefined) return undefined;
  return { node, port: Number.parseInt(port, 16), kind };
}
