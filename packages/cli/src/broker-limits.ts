/**
 * The limits of `sealane broker` as options, one for each limit of BrokerOptions: the type keeps the table
 * complete.
 */
import type { BrokerOptions } from 'sealane';

/** A property of BrokerOptions that is a limit. */
export type BrokerLimitName = Exclude<
  keyof BrokerOptions,
  'socket' | 'memfdbusSocket' | 'users' | 'policy' | 'audit'
>;

/** How the value of a limit is written. */
export type LimitKind = 'count' | 'size' | 'duration';

const HELP: Readonly<Record<BrokerLimitName, readonly [kind: LimitKind, help: string]>> = {
  maxObjects: ['count', 'objects (default: what RLIMIT_NOFILE leaves)'],
  maxObjectsPerUser: ['count', 'objects of one user (default: all)'],
  maxBytes: ['size', 'bytes of all objects (default: the memory of the machine)'],
  maxBytesPerUser: ['size', "bytes of one user's objects (default: all)"],
  maxObjectBytes: ['size', 'bytes of one object (default: all)'],
  maxRecordBytes: ['size', 'memory for names, jobs and metadata (default: a quarter of the heap)'],
  maxRecordBytesPerUser: ['size', 'the same for one user (default: all)'],
  maxNameBytes: ['size', 'bytes of a name (default: 64KiB)'],
  maxAllowedJobs: ['count', 'jobs that one object may allow (default: 1024)'],
  maxMessageBytes: ['size', 'bytes of one message (default: 1MiB)'],
  maxListEntries: ['count', 'objects in one page of a list (default: 1000)'],
  maxConnections: ['count', 'connections (default: 1024)'],
  maxConnectionsPerUser: ['count', 'connections of one user (default: 512)'],
  maxOutstanding: ['count', 'unanswered requests of a connection (default: 64)'],
  maxWatches: ['count', 'watches of a connection (default: 64)'],
  maxWatchBacklog: ['count', 'versions kept for a slow watch of every version (default: 1024)'],
  helloTimeoutMs: ['duration', 'time that a new connection has to greet (default: 5s)'],
  maxMemfdbusConnections: ['count', 'connections of memfdbus clients (default: 128)'],
  maxMemfdbusRequestBytes: ['size', 'bytes of a memfdbus request (default: 4GiB less one)'],
  maxMemfdbusListBytes: ['size', 'bytes of a list for a memfdbus client (default: 4GiB less one)'],
  maxMemfdbusHeldListBytes: [
    'size',
    'bytes of lists that memfdbus clients have not read (default: a quarter of the heap)',
  ],
  backlog: ['count', 'connections that wait to be accepted (default: 128)'],
};

/** One limit as an option. */
export interface BrokerLimit {
  /** The property of BrokerOptions. */
  name: BrokerLimitName;
  /** The option: `--max-bytes` for maxBytes, `--hello-timeout` for helloTimeoutMs. */
  flag: string;
  /** The name under which commander keeps its value. */
  property: string;
  kind: LimitKind;
  help: string;
}

/** All limits, in the order of the help. */
export const BROKER_LIMITS: readonly BrokerLimit[] = (Object.keys(HELP) as BrokerLimitName[]).map((name) => {
  const property = name.replace(/Ms$/, '');
  const flag = `--${property.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const [kind, help] = HELP[name];
  return { name, flag, property, kind, help };
});
