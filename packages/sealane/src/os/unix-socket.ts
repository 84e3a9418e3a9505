/**
 * Unix sockets of type SOCK_SEQPACKET: packets with descriptors, never blocking, no event loop in here. Foreign protocols
 * use SOCK_STREAM, where bytes have no bounds. Owns its descriptor. Of the peer it trusts only what the kernel says: its
 * credentials, and that packets keep their bounds.
 */
import { closedError, invalidArgument } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { closeDescriptor } from './descriptor.js';
import { isNativeError, systemError } from './system-error.js';

/** Longest path of a socket in bytes: sun_path without its final zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** What {@link UnixSocket.drain} answers at the end of a connection. */
export const DRAIN_END = -1;

/** What {@link UnixSocket.drain} answers after a packet that is no wake-up. */
export const DRAIN_FOREIGN = -2;

/** Who was at the other end when the connection was made, SO_PEERCRED. The kernel says so, not the peer. */
export interface PeerCredentials {
  /** Process id, or 0 when the process is outside this pid namespace. */
  readonly pid: number;
  /** Effective user id, or the overflow id (65534) when this user namespace does not map it. */
  readonly uid: number;
  /** Effective group id. */
  readonly gid: number;
}

/** How a socket carries bytes: in packets (SOCK_SEQPACKET), or as a stream (SOCK_STREAM). */
export type SocketKind = 'packet' | 'stream';

/** A packet that was received, or what a stream had. */
export interface Packet {
  /** Bytes of the packet that are in the buffer. */
  bytes: number;
  /** The descriptors that came along; the receiver owns them. */
  descriptors: number[];
  /** Whether descriptors were dropped: more than fit, or no free descriptor here. */
  descriptorsLost: boolean;
  /** Whether the packet was longer than the buffer; the rest is gone. */
  truncated: boolean;
}

const SEND_RESULTS = ['sent', 'full', 'in-flight'] as const;

/** A listening or connected socket. Every method throws ERR_SEALANE_CLOSED once closed. */
export class UnixSocket implements Disposable {
  /** The peer's identity at connect or accept; of a listening socket, this process's own. */
  readonly peer: PeerCredentials;
  #fd: number;
  /** Whether the connection is this object's alone, as one is that was just made: it may end with it. */
  readonly #alone: boolean;

  private constructor(fd: number, peer: PeerCredentials, alone = false) {
    this.#fd = fd;
    this.peer = peer;
    this.#alone = alone;
  }

  /**
   * Connects to the socket at `path`. Undefined: its backlog is full, try again. Throws ERR_SEALANE_SYSTEM (errnoName
   * ENOENT: no such socket; ECONNREFUSED: nobody listens there), ERR_SEALANE_INVALID_ARGUMENT for a path that is too long.
   */
  static connect(path: string, kind: SocketKind = 'packet'): UnixSocket | undefined {
    checkPath(path);
    try {
      const fd = addon().socketConnect(path, kind === 'stream');
      return fd === -1 ? undefined : new UnixSocket(fd, readPeer(0), true);
    } catch (error) {
      throw systemError(error, `connecting to ${path}`);
    }
  }

  /**
   * Makes a socket file at `path` with mode 0600 and listens. `backlog` is how many connections may wait to be accepted.
   * Nobody unlinks the file: that is the caller's. Throws ERR_SEALANE_SYSTEM (EADDRINUSE: the path exists),
   * ERR_SEALANE_INVALID_ARGUMENT for a path of more than 107 bytes.
   */
  static listen(path: string, backlog: number, kind: SocketKind = 'packet'): UnixSocket {
    checkPath(path);
    try {
      return new UnixSocket(addon().socketListen(path, backlog, kind === 'stream'), ownCredentials());
    } catch (error) {
      throw systemError(error, `listening at ${path}`);
    }
  }

  /** Two sockets that are connected with each other. */
  static pair(kind: SocketKind = 'packet'): [UnixSocket, UnixSocket] {
    const native = addon();
    try {
      native.socketPair(kind === 'stream');
    } catch (error) {
      throw systemError(error, 'making a pair of sockets');
    }
    const [first, second] = native.scratch as unknown as [number, number];
    const peer = readPeer(2);
    return [new UnixSocket(first, peer), new UnixSocket(second, peer)];
  }

  /** Takes a connected descriptor of either kind; it is closed when this throws. */
  static take(fd: number): UnixSocket {
    const native = addon();
    native.own(fd);
    try {
      native.socketPeer(fd);
      return new UnixSocket(fd, readPeer(0));
    } catch (error) {
      closeDescriptor(fd);
      throw systemError(error, `taking descriptor ${fd} as a socket`);
    }
  }

  /**
   * A duplicate of a listening socket that was made elsewhere and checked (`requireListener`). `fd` stays its owner's, and becomes
   * non-blocking. Throws ERR_SEALANE_EXHAUSTED when no descriptor is left.
   */
  static duplicateListener(fd: number): UnixSocket {
    try {
      return new UnixSocket(addon().listenerDuplicate(fd), ownCredentials());
    } catch (error) {
      throw systemError(error, `duplicating the listening socket ${fd}`);
    }
  }

  /** The descriptor, which stays this object's. Throws ERR_SEALANE_CLOSED. */
  get fd(): number {
    if (this.#fd === -1) throw closedError('the socket');
    return this.#fd;
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#fd === -1;
  }

  /**
   * Accepts a connection. Undefined: none waits. Throws ERR_SEALANE_EXHAUSTED when no descriptor is left; the connection
   * keeps waiting.
   */
  accept(): UnixSocket | undefined {
    try {
      const fd = addon().socketAccept(this.fd);
      return fd === -1 ? undefined : new UnixSocket(fd, readPeer(0), true);
    } catch (error) {
      throw systemError(error, 'accepting a connection');
    }
  }

  /**
   * Sends one packet of at least one byte, with at most 5 descriptors, which are borrowed. `full`: the peer's queue has no
   * room, wait until writable. `in-flight`: this user has too many descriptors under way, wait until somebody receives
   * some. Throws ERR_SEALANE_CONNECTION_LOST when the peer is gone, ERR_SEALANE_SYSTEM (EMSGSIZE: the packet is too large).
   */
  send(bytes: Uint8Array, descriptors?: readonly number[]): 'sent' | 'full' | 'in-flight' {
    try {
      return SEND_RESULTS[addon().socketSend(this.fd, bytes, descriptors)] as 'sent' | 'full' | 'in-flight';
    } catch (error) {
      const lost = isNativeError(error, 'EPIPE') || isNativeError(error, 'ECONNRESET');
      const code = lost ? 'ERR_SEALANE_CONNECTION_LOST' : 'ERR_SEALANE_SYSTEM';
      throw systemError(error, `sending ${bytes.length} bytes`, code);
    }
  }

  /**
   * Writes to a stream at least one byte, with at most 5 descriptors, which are borrowed and ride on the first of the bytes that
   * are taken. Returns how many bytes were taken, which may be a part; else as {@link send}, and throws as that.
   */
  write(bytes: Uint8Array, descriptors?: readonly number[]): number | 'full' | 'in-flight' {
    const result = this.send(bytes, descriptors);
    return result === 'sent' ? (addon().scratch[0] as number) : result;
  }

  /**
   * Receives one packet, or what a stream has. `empty`: none is there. `end`: the peer closed, shut down or reset the connection. The caller
   * owns the descriptors of the packet, up to 253, also of one that is truncated; what it has not closed is closed when its thread ends.
   */
  receive(into: Uint8Array): Packet | 'empty' | 'end' {
    return this.#receive(into, false) as Packet | 'empty' | 'end';
  }

  /**
   * The same for a peer of whom no descriptor is wanted. `descriptors`: some come with what is next, which stays where it is. Taken, they
   * would be this process's to close, which a FUSE file system can keep waiting; what is not taken ends with the connection.
   */
  receiveBare(into: Uint8Array): Packet | 'empty' | 'end' | 'descriptors' {
    return this.#receive(into, true);
  }

  #receive(into: Uint8Array, bare: boolean): Packet | 'empty' | 'end' | 'descriptors' {
    const native = addon();
    let bytes: number;
    try {
      bytes = native.socketReceive(this.fd, into, bare);
    } catch (error) {
      throw systemError(error, 'receiving a packet');
    }
    if (bytes < 0) return bytes === -1 ? 'empty' : 'descriptors';
    return bytes === 0 ? 'end' : readPacket(bytes, native.scratch);
  }

  /**
   * Wakes the peer: sends one byte, without ever waiting. A full queue is as good as sent, for the peer has something to read. False: the
   * peer is gone. Allocates nothing.
   */
  wake(): boolean {
    try {
      return addon().socketWake(this.fd);
    } catch (error) {
      throw systemError(error, 'waking a peer');
    }
  }

  /**
   * Discards up to `max` (4,096 at most) wake-ups, packets of one byte without descriptors. Returns how many there were, 0 for none;
   * {@link DRAIN_END} when the peer has closed or reset the connection; {@link DRAIN_FOREIGN} after a packet of another kind, which is
   * discarded with its descriptors. Allocates nothing.
   */
  drain(max: number): number {
    try {
      return addon().socketDrain(this.fd, max);
    } catch (error) {
      throw systemError(error, 'receiving wake-ups');
    }
  }

  /** Bytes that were sent and that the peer has not read, as the kernel counts them (SIOCOUTQ, unix(7)). */
  get unread(): number {
    try {
      return addon().socketUnread(this.fd);
    } catch (error) {
      throw systemError(error, 'asking what a peer has not read');
    }
  }

  /** Whether the peer is gone: it has not only ended its own direction, it hears nothing any more either. */
  get peerGone(): boolean {
    try {
      return addon().socketGone(this.fd);
    } catch (error) {
      throw systemError(error, 'asking whether a peer is gone');
    }
  }

  /** Ends the connection in both directions; the peer sees the end, and what it sent before can still be received. */
  shutdown(): void {
    try {
      addon().socketShutdown(this.fd, false);
    } catch (error) {
      throw systemError(error, 'shutting down a connection');
    }
  }

  /** Ends the own direction of a stream: the peer sees the end after all that was written, and can still be heard. */
  finish(): void {
    try {
      addon().socketShutdown(this.fd, true);
    } catch (error) {
      throw systemError(error, 'ending a stream');
    }
  }

  /**
   * Closes the descriptor. A connection that was made by connect() or accept() ends for all who hold it, and the descriptors
   * in packets that were never received are closed on another thread: the peer decides how long that takes. Idempotent.
   */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    if (this.#alone) hangUp(fd);
    else closeDescriptor(fd);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

function hangUp(fd: number): void {
  try {
    addon().socketHangUp(fd);
  } catch (error) {
    throw systemError(error, `closing the connection ${fd}`);
  }
}

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw invalidArgument(
      'path',
      `have at most ${MAX_SOCKET_PATH_BYTES} bytes, the kernel's limit for a socket (it has ${bytes})`,
      path,
    );
  }
}

function ownCredentials(): PeerCredentials {
  return { pid: process.pid, uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };
}

function readPeer(index: number): PeerCredentials {
  const { scratch } = addon();
  return {
    pid: scratch[index] as number,
    uid: scratch[index + 1] as number,
    gid: scratch[index + 2] as number,
  };
}

function readPacket(bytes: number, scratch: Float64Array): Packet {
  const flags = scratch[0] as number;
  const count = scratch[1] as number;
  const descriptors: number[] = [];
  for (let i = 0; i < count; i++) descriptors.push(scratch[2 + i] as number);
  return { bytes, descriptors, descriptorsLost: (flags & 1) !== 0, truncated: (flags & 2) !== 0 };
}
