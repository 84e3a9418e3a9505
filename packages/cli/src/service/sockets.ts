/**
 * Which of the sockets that a service manager passed serves what: their types say so. Pure.
 */
import type { PassedSocket } from 'sealane';
import { usageError } from '../failure.js';

/** The sockets to serve on; what is undefined the broker opens itself, or does without. */
export interface ServiceSockets {
  /** For native clients: SOCK_SEQPACKET. */
  native: PassedSocket | undefined;
  /** For memfdbus clients: SOCK_STREAM. */
  memfdbus: PassedSocket | undefined;
}

/** Throws a usage error when there are several of one type. */
export function chooseSockets(passed: readonly PassedSocket[]): ServiceSockets {
  return {
    native: only(passed, 'packet', 'SOCK_SEQPACKET'),
    memfdbus: only(passed, 'stream', 'SOCK_STREAM'),
  };
}

function only(
  passed: readonly PassedSocket[],
  kind: PassedSocket['kind'],
  type: string,
): PassedSocket | undefined {
  const [first, ...more] = passed.filter((socket) => socket.kind === kind);
  if (more.length === 0) return first;
  const names = [first, ...more].map((socket) => `${socket?.name} (${socket?.path})`).join(', ');
  throw usageError(
    `${more.length + 1} sockets of type ${type} were passed: ${names}`,
    'a broker serves one of each type; start a broker for each',
  );
}
