/**
 * The broker's options: what an embedding program may set, the defaults with their reasons, and the checks.
 * Owns the limits of one broker; what the machine allows is asked of the machine.
 */
import { totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { checkInteger, checkRecord, checkText } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { MAX_MESSAGE_BYTES, MAX_NAME_BYTES, MAX_PACKET_BYTES } from '../base/limits.js';
import { descriptorLimit } from '../os/descriptor.js';
import type { BrokerLimits } from '../wire/index.js';
import { type AuditOptions, checkAuditOptions } from './audit/index.js';
import type { ListeningSocket } from './passed-socket.js';
import { checkPolicy, type PolicyOptions } from './policy/options.js';

/** What `Broker.start` takes. Everything has a default. */
export interface BrokerOptions {
  /**
   * Path of the socket, at most 103 bytes; its directory must exist. Default: $SEALANE_SOCKET, or broker.sock in the runtime directory.
   * Or a listening SOCK_SEQPACKET socket that somebody else has bound to a path: it is borrowed, and its file is left alone.
   */
  socket?: string | ListeningSocket | undefined;
  /** A second socket, for programs that speak memfdbus v1; as `socket`, of type SOCK_STREAM. Default: none. */
  memfdbusSocket?: string | ListeningSocket | undefined;
  /** User ids that are admitted beside the broker's own. Default: none. */
  users?: readonly number[] | undefined;
  /**
   * Who is admitted, under which job, and what each may do (`docs/policy.md`); instead of `users`. With a policy all users share
   * their objects as far as it says. Default: none.
   */
  policy?: PolicyOptions | undefined;
  /** Connections that the kernel holds until they are accepted. Default 128. */
  backlog?: number | undefined;
  /** Connections at once. Default 1024, or an eighth of RLIMIT_NOFILE if that is less. */
  maxConnections?: number | undefined;
  /** Connections of one user at once. Default 512, or maxConnections if that is less. */
  maxConnectionsPerUser?: number | undefined;
  /** Objects at once; each takes a descriptor. Default: what RLIMIT_NOFILE leaves beside the connections, at most 1,000,000. */
  maxObjects?: number | undefined;
  /** Objects of one user at once. Default: maxObjects. */
  maxObjectsPerUser?: number | undefined;
  /** Bytes of all objects together. Default: the memory of this machine or container. */
  maxBytes?: number | undefined;
  /** Bytes of one user's objects. Default: maxBytes. */
  maxBytesPerUser?: number | undefined;
  /** Bytes of one object. Default: maxBytes. */
  maxObjectBytes?: number | undefined;
  /** Bytes of the broker's own memory for names, jobs and metadata. Default: a quarter of the JavaScript heap's limit. */
  maxRecordBytes?: number | undefined;
  /** The same for one user. Default: maxRecordBytes. */
  maxRecordBytesPerUser?: number | undefined;
  /** Bytes of a name, in UTF-8. Default and at most 65,536. */
  maxNameBytes?: number | undefined;
  /** Jobs that one object may allow. Default 1024: each is an entry in an index. */
  maxAllowedJobs?: number | undefined;
  /** Bytes of a message in either direction. Default 1 MiB, at most 16 MiB. */
  maxMessageBytes?: number | undefined;
  /** Objects in one answer to list. Default 1000. */
  maxListEntries?: number | undefined;
  /** Unanswered requests of a connection; the broker reads no further one while there are so many. Default 64. */
  maxOutstanding?: number | undefined;
  /** Watches of a connection. Default 64. */
  maxWatches?: number | undefined;
  /** Versions that wait for a consumer that asked for every one. Default 1024. */
  maxWatchBacklog?: number | undefined;
  /** How long a connection may take to say hello, and a memfdbus client to state its request, in milliseconds. Default 5000. */
  helloTimeoutMs?: number | undefined;
  /** Connections of memfdbus clients at once. Default 128. */
  maxMemfdbusConnections?: number | undefined;
  /** Bytes of a memfdbus request beside its header. Default 2^32-1. */
  maxMemfdbusRequestBytes?: number | undefined;
  /** Bytes of an answer to the list of a memfdbus client, which comes in one piece. Default 2^32-1. */
  maxMemfdbusListBytes?: number | undefined;
  /** Bytes of all lists that memfdbus clients are sent, and have not read yet. Default: a quarter of the JavaScript heap's limit. */
  maxMemfdbusHeldListBytes?: number | undefined;
  /** Records every operation. Default: nothing is recorded. */
  audit?: AuditOptions | undefined;
}

/** All options, with their defaults filled in; without the sockets, which are settled when they are published, and the audit. */
export type BrokerSettings = {
  readonly [Option in Exclude<
    keyof BrokerOptions,
    'socket' | 'memfdbusSocket' | 'policy' | 'audit'
  >]-?: Exclude<BrokerOptions[Option], undefined>;
} & { readonly policy: PolicyOptions | undefined };

/** The longest path of a broker's socket: the 107 bytes of a socket address, less the `.new` that it is bound as at first. */
export const MAX_SOCKET_PATH_BYTES = 103;

/** Descriptors that a connection may take: its socket, one that is just received, and answers that wait to be read. */
const DESCRIPTORS_PER_CONNECTION = 4;

/** Descriptors for the process itself: event loop, standard streams, lock, listening socket, and the embedding program. */
const DESCRIPTORS_RESERVED = 64;

/** More objects than this would take gigabytes of heap for their records: whoever wants them shall say so. */
const DEFAULT_OBJECTS_CAP = 1_000_000;

const MOST = Number.MAX_SAFE_INTEGER;

/** Least and greatest value of each number. */
const RANGES = {
  backlog: [1, 65_535],
  maxConnections: [1, 1_000_000],
  maxConnectionsPerUser: [1, 1_000_000],
  maxObjects: [1, 100_000_000],
  maxObjectsPerUser: [1, 100_000_000],
  maxBytes: [0, MOST],
  maxBytesPerUser: [0, MOST],
  maxObjectBytes: [0, MOST],
  maxRecordBytes: [1, MOST],
  maxRecordBytesPerUser: [1, MOST],
  maxNameBytes: [1, MAX_NAME_BYTES],
  maxAllowedJobs: [0, 1_000_000],
  maxMessageBytes: [4_096, MAX_MESSAGE_BYTES],
  maxListEntries: [1, 1_000_000],
  maxOutstanding: [1, 65_536],
  maxWatches: [0, 65_536],
  maxWatchBacklog: [1, 1_000_000],
  helloTimeoutMs: [1, 3_600_000],
  maxMemfdbusConnections: [1, 1_000_000],
  maxMemfdbusRequestBytes: [1, 4_294_967_295],
  maxMemfdbusListBytes: [1, 4_294_967_295],
  maxMemfdbusHeldListBytes: [1, MOST],
} as const satisfies Record<string, readonly [number, number]>;

/**
 * Checks options and fills in defaults. Throws ERR_SEALANE_INVALID_ARGUMENT for a value out of range, for an option that does
 * not exist, and when RLIMIT_NOFILE can't hold what is asked for: a limit that can't be kept is none.
 */
export function settle(options: BrokerOptions, descriptors = descriptorsOfProcess()): BrokerSettings {
  checkGiven(options);
  const maxConnections = options.maxConnections ?? Math.max(1, Math.min(1_024, Math.floor(descriptors / 8)));
  const maxMemfdbusConnections = options.maxMemfdbusConnections ?? 128;
  const allConnections = maxConnections + (options.memfdbusSocket === undefined ? 0 : maxMemfdbusConnections);
  const maxObjects = options.maxObjects ?? defaultObjects(descriptors, allConnections);
  const maxBytes = options.maxBytes ?? availableMemory();
  const quarterOfHeap = Math.floor(getHeapStatistics().heap_size_limit / 4);
  const maxRecordBytes = options.maxRecordBytes ?? quarterOfHeap;
  checkDescriptors(descriptors, allConnections, maxObjects);
  return {
    users: [],
    policy: undefined,
    backlog: 128,
    maxConnections,
    maxConnectionsPerUser: Math.min(512, maxConnections),
    maxObjects,
    maxObjectsPerUser: maxObjects,
    maxBytes,
    maxBytesPerUser: maxBytes,
    maxObjectBytes: maxBytes,
    maxRecordBytes,
    maxRecordBytesPerUser: maxRecordBytes,
    maxNameBytes: MAX_NAME_BYTES,
    maxAllowedJobs: 1_024,
    maxMessageBytes: 1_048_576,
    maxListEntries: 1_000,
    maxOutstanding: 64,
    maxWatches: 64,
    maxWatchBacklog: 1_024,
    helloTimeoutMs: 5_000,
    maxMemfdbusConnections,
    maxMemfdbusRequestBytes: 4_294_967_295,
    maxMemfdbusListBytes: 4_294_967_295,
    maxMemfdbusHeldListBytes: quarterOfHeap,
    ...withoutUndefined(options),
  };
}

/** What clients are told of the limits. */
export function limitsOf(settings: BrokerSettings): BrokerLimits {
  return {
    maxPacketBytes: MAX_PACKET_BYTES,
    maxMessageBytes: settings.maxMessageBytes,
    maxNameBytes: settings.maxNameBytes,
    maxObjects: settings.maxObjects,
    maxBytes: settings.maxBytes,
    maxObjectBytes: settings.maxObjectBytes,
    maxOutstanding: settings.maxOutstanding,
    maxWatches: settings.maxWatches,
    maxListEntries: settings.maxListEntries,
  };
}

function checkGiven(options: BrokerOptions): void {
  checkRecord('options', options);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (name === 'socket' || name === 'memfdbusSocket') checkSocket(`options.${name}`, value);
    else if (name === 'users') checkUsers(value);
    else if (name === 'policy') checkPolicy('options.policy', value);
    else if (name === 'audit') checkAuditOptions(value);
    else if (!isNumberOption(name))
      throw invalidArgument('options', `have known options only; there is no ${name}`, value);
    else checkInteger(`options.${name}`, value, RANGES[name][0], RANGES[name][1]);
  }
  checkTogether(options);
}

function checkTogether({ policy, users, socket, memfdbusSocket: second }: BrokerOptions): void {
  if (typeof socket === 'string' && typeof second === 'string' && resolve(socket) === resolve(second))
    throw invalidArgument('options.memfdbusSocket', "be another path than the broker's own socket", second);
  if (policy === undefined || users === undefined || users.length === 0) return;
  throw invalidArgument('options.users', 'be absent beside a policy: admit users there', users);
}

function isNumberOption(name: string): name is keyof typeof RANGES {
  return Object.hasOwn(RANGES, name);
}

function checkSocket(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) {
    checkInteger(`${name}.fd`, (value as Partial<ListeningSocket>).fd, 0, 2_147_483_647);
    return;
  }
  checkText(name, value, 1, MAX_SOCKET_PATH_BYTES);
  if (value.includes('\0')) throw invalidArgument(name, 'have no zero character', value);
  if (value.endsWith('/')) throw invalidArgument(name, `name a file in ${dirname(value)}`, value);
}

function checkUsers(value: unknown): void {
  if (!Array.isArray(value)) throw invalidArgument('options.users', 'be an array of user ids', value);
  for (const [index, uid] of value.entries()) checkInteger(`options.users[${index}]`, uid, 0, 4_294_967_294);
}

function checkDescriptors(descriptorLimit: number, maxConnections: number, maxObjects: number): void {
  const needed = maxConnections * DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_RESERVED + maxObjects;
  if (needed <= descriptorLimit) return;
  throw new SealaneError(
    'ERR_SEALANE_INVALID_ARGUMENT',
    `maxObjects ${maxObjects} and ${maxConnections} connections (maxConnections) need ${needed} descriptors, and this process may have ` +
      `${descriptorLimit} (RLIMIT_NOFILE); raise it with \`ulimit -n\`, or lower the options`,
  );
}

function defaultObjects(descriptorLimit: number, maxConnections: number): number {
  const left = descriptorLimit - maxConnections * DESCRIPTORS_PER_CONNECTION - DESCRIPTORS_RESERVED;
  return Math.max(1, Math.min(DEFAULT_OBJECTS_CAP, left));
}

/** The memory of the container, where there is a limit, else of the machine. */
function availableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

/** Asked of the kernel and not of /proc, which may be missing. */
export function descriptorsOfProcess(): number {
  return Math.min(descriptorLimit(), MOST);
}

function withoutUndefined(options: BrokerOptions): Partial<BrokerSettings> {
  const { socket: _socket, memfdbusSocket: _memfdbusSocket, audit: _audit, ...rest } = options;
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
}
