/** The limits of `sealane broker` as options: one for each limit of BrokerOptions. Data only; loaded for the help. */

/** One limit: its option, the property that commander makes of it, and the property of BrokerOptions. */
export interface BrokerLimit {
  flag: `--${string}`;
  kind: 'count' | 'size' | 'duration';
  /** The property of BrokerOptions. */
  option: string;
  help: string;
}

/** All limits, in the order of the help. */
export const BROKER_LIMITS = [
  { flag: '--max-objects', kind: 'count', option: 'maxObjects', help: 'objects (default: what the descriptor limit leaves)' },
  { flag: '--max-objects-per-user', kind: 'count', option: 'maxObjectsPerUser', help: 'objects of one user' },
  { flag: '--max-bytes', kind: 'size', option: 'maxBytes', help: 'bytes of all objects (default: the memory of the machine)' },
  { flag: '--max-bytes-per-user', kind: 'size', option: 'maxBytesPerUser', help: 'bytes of the objects of one user' },
  { flag: '--max-object-bytes', kind: 'size', option: 'maxObjectBytes', help: 'bytes of one object' },
  { flag: '--max-name-bytes', kind: 'size', option: 'maxNameBytes', help: 'bytes of a name (default: 64KiB)' },
  { flag: '--max-message-bytes', kind: 'size', option: 'maxMessageBytes', help: 'bytes of one request (default: 1MiB)' },
  { flag: '--max-list-entries', kind: 'count', option: 'maxListEntries', help: 'objects in one page of a list (default: 1000)' },
  { flag: '--max-connections', kind: 'count', option: 'maxConnections', help: 'connections (default: 1024)' },
  { flag: '--max-connections-per-user', kind: 'count', option: 'maxConnectionsPerUser', help: 'connections of one user (default: 512)' },
  { flag: '--max-outstanding', kind: 'count', option: 'maxOutstanding', help: 'unanswered requests of one connection (default: 64)' },
  { flag: '--max-watches', kind: 'count', option: 'maxWatches', help: 'watches of one connection (default: 64)' },
  { flag: '--max-watch-backlog', kind: 'count', option: 'maxWatchBacklog', help: 'versions kept for a slow --every watch (default: 1024)' },
  { flag: '--hello-timeout', kind: 'duration', option: 'helloTimeoutMs', help: 'time that a new connection has to greet (default: 5s)' },
  { flag: '--backlog', kind: 'count', option: 'backlog', help: 'connections that wait to be accepted (default: 128)' },
] as const satisfies readonly BrokerLimit[];

/** A property of BrokerOptions that is a limit. */
export type BrokerLimitName = (typeof BROKER_LIMITS)[number]['option'];

/** The name under which commander keeps an option: `--max-bytes` is `maxBytes`. */
export function propertyOf(flag: string): string {
  return flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
