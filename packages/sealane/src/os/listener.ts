/**
 * Listening sockets that somebody else has made: what they must be before anything is accepted from them. Borrows descriptors,
 * owns none. Trusts what the kernel says of a socket, not who passed it.
 */
import { describe, SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { isNativeError, systemError } from './system-error.js';
import type { SocketKind } from './unix-socket.js';

/** A listening socket, as far as it concerns its user. */
export interface ListenerInfo {
  /** How its connections carry bytes. */
  readonly kind: SocketKind;
  /** The path that it was bound to: absolute if whoever bound it gave an absolute one. */
  readonly path: string;
}

/** Numbers of the kernel, the same on every architecture that Node.js runs Linux on. */
const AF_UNIX = 1;
const TYPES: ReadonlyMap<number, SocketKind | 'datagram'> = new Map([
  [1, 'stream'],
  [2, 'datagram'],
  [5, 'packet'],
]);

/** The names under which people know the kinds. */
const TYPE_NAMES = { packet: 'SOCK_SEQPACKET', stream: 'SOCK_STREAM', datagram: 'SOCK_DGRAM' } as const;

/**
 * Demands a listening Unix socket that is bound to a path, of one kind if one is given. Borrows the descriptor. `what` names it in
 * errors. Throws ERR_SEALANE_INVALID_ARGUMENT, which says what it is instead.
 */
export function requireListener(what: string, fd: number, kind?: SocketKind): ListenerInfo {
  const refuse = (is: string, advice: string) => refusal(what, fd, kind, is, advice);
  const { path, domain, type, listening } = inspectSocket(what, fd, kind);
  if (domain !== AF_UNIX) throw refuse(`is a socket of domain ${domain}`, 'pass a Unix socket');
  const found = TYPES.get(type);
  if (found === undefined || found === 'datagram' || found !== (kind ?? found))
    throw refuse(`has type ${found ? TYPE_NAMES[found] : type}`, 'pass a socket of the right type');
  if (!listening)
    throw refuse(
      'does not listen: it is a connection, or not ready yet',
      'pass the listening socket itself (a systemd unit has Accept=no)',
    );
  if (path === '' || path.startsWith('@'))
    throw refuse(
      `is bound to ${path === '' ? 'no address' : `the abstract address ${describe(path)}`}`,
      'bind it to a path: clients know no other addresses',
    );
  return { kind: found, path };
}

function inspectSocket(what: string, fd: number, kind: SocketKind | undefined) {
  const native = addon();
  try {
    const path = native.listenerInspect(fd);
    const [domain = 0, type = 0, listening] = native.scratch;
    return { path, domain, type, listening: listening === 1 };
  } catch (error) {
    if (isNativeError(error, 'EBADF')) throw refusal(what, fd, kind, 'is not open', 'pass an open one');
    if (isNativeError(error, 'ENOTSOCK')) throw refusal(what, fd, kind, 'is no socket', 'pass a socket');
    throw systemError(error, `inspecting ${what}`);
  }
}

function refusal(
  what: string,
  fd: number,
  kind: SocketKind | undefined,
  is: string,
  advice: string,
): SealaneError {
  const type = kind === undefined ? '' : ` of type ${TYPE_NAMES[kind]}`;
  return new SealaneError(
    'ERR_SEALANE_INVALID_ARGUMENT',
    `${what} must be a listening Unix socket${type} that is bound to a path; descriptor ${fd} ${is}: ${advice}`,
  );
}
