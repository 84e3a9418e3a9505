/**
 * One connection: framed messages with descriptors over a Unix socket, driven by the event loop.
 * Owns its socket, its watcher, and duplicates of the descriptors that wait to be sent.
 * Trusts nothing that the peer sends; what a message means is for the layer above.
 */
import { SealaneError } from '../base/errors.js';
import { MAX_PACKET_BYTES } from '../base/limits.js';
import { disposeDescriptors, OwnedDescriptor } from '../os/descriptor.js';
import type { Packet, PeerCredentials, UnixSocket } from '../os/unix-socket.js';
import { Watcher } from '../os/watcher.js';
import { attach, detach, isDetached } from './detached.js';
import type { FlightRoute, FlightShare } from './flight.js';

/** What a link needs to know and whom it tells. */
export interface LinkOptions {
  /** Largest message to accept, in bytes, detached ones included. */
  maxMessageBytes: number;
  /** Most messages to take in one turn of the event loop, so that a flood does not starve other connections. */
  messagesPerTurn: number;
  /** Takes no descriptors: what comes with one closes the link. */
  bare?: boolean;
  /** Bounds the descriptors that are under way to the peer. Absent: the kernel does. */
  flight?: FlightShare;
  /**
   * A message came. `message` is valid during the call only. The callee owns `descriptors` and closes them.
   * `descriptorsLost`: the kernel dropped some, because this process is out of descriptors or there were too many.
   */
  onMessage(message: Uint8Array, descriptors: number[], descriptorsLost: boolean): void;
  /**
   * Something can be sent or received. When given, nothing is until the owner calls {@link Link.advance}, now or later, until there is
   * nothing more; it is not called again before.
   */
  onReady?(): void;
  /** Everything that was queued is sent. */
  onDrained?(): void;
  /** The link is closed: once, never from inside a call of the owner. `error` is undefined when it ended in good order. */
  onClose(error: SealaneError | undefined): void;
}

interface Queued {
  message: Uint8Array;
  readonly descriptors: readonly OwnedDescriptor[];
}

/**
 * How long to wait, in milliseconds, when too many descriptors of this user are under way, or too many bodies to this peer: nothing
 * wakes us when they arrive. Twice as long each time, up to the greatest.
 */
const IN_FLIGHT_RETRY_MS = 2;
const MAX_IN_FLIGHT_RETRY_MS = 64;

/** Detached messages that the peer need not have read yet: their bodies are memory that the socket's buffer does not count. */
const MAX_DETACHED_UNREAD = 4;

/**
 * How long a link that ends waits for its last messages to be taken, in milliseconds. A peer that reads needs far less.
 */
const END_GRACE_MS = 1_000;

/** Received packets land here first. One for all links: a packet is dealt with before the next is received. */
const receiveBuffer = new Uint8Array(MAX_PACKET_BYTES);

export class Link implements Disposable {
  readonly #socket: UnixSocket;
  readonly #watcher: Watcher;
  readonly #options: LinkOptions;
  readonly #queue: Queued[] = [];
  readonly #route: FlightRoute | undefined;
  #maxPacketBytes = MAX_PACKET_BYTES;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = IN_FLIGHT_RETRY_MS;
  /** Detached messages that were sent since the peer had last read everything. */
  #detachedSent = 0;
  #endTimer: NodeJS.Timeout | undefined;
  #paused = false;
  #ending = false;
  #closed = false;
  /** The owner was told that something can be done, and has not done it all. */
  #told = false;
  /** The socket may have room for what is queued. */
  #writable = false;

  /** Takes the socket: it is closed with the link. */
  constructor(socket: UnixSocket, options: LinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#route = options.flight?.open(() => socket.unread);
    this.#watcher = new Watcher(socket.fd, (readable, writable) => this.#onReady(readable, writable));
    this.#updateInterest();
  }

  /** Who is on the other side, as the kernel says. */
  get peer(): PeerCredentials {
    return this.#socket.peer;
  }

  /** Messages that wait because the peer does not read. */
  get queued(): number {
    return this.#queue.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** From now on, sends at most this many bytes in a packet; a larger message is detached. At most MAX_PACKET_BYTES. */
  limitPackets(maxPacketBytes: number): void {
    this.#maxPacketBytes = Math.min(maxPacketBytes, MAX_PACKET_BYTES);
  }

  /**
   * Sends a message, or queues it while the peer's buffer is full. Borrows the descriptors: they may be closed
   * when this returns. A connection that turns out to be broken is closed, and says so through `onClose`.
   * Throws ERR_SEALANE_EXHAUSTED when a large body or a queued descriptor can't be had; nothing is sent then.
   */
  send(message: Uint8Array, descriptors: readonly number[] = []): void {
    if (this.#closed || this.#ending) return;
    if (message.length <= this.#maxPacketBytes) {
      this.#sendPacket(message, descriptors);
      return;
    }
    const { header, body } = detach(message);
    try {
      this.#sendPacket(header, [body.fd, ...descriptors]);
    } finally {
      body.close();
    }
  }

  /** Takes no further messages until {@link resume}: the peer's sends will block or fail. */
  pause(): void {
    this.#paused = true;
    this.#updateInterest();
  }

  resume(): void {
    this.#paused = false;
    this.#updateInterest();
  }

  /**
   * Sends a queued message, or takes one: what {@link LinkOptions.onReady} asks for. Gives its bytes; undefined: there is nothing more to
   * be done now.
   */
  advance(): number | undefined {
    const bytes = this.#sendQueued() ?? this.#receiveOne();
    if (bytes === undefined) {
      this.#told = false;
      this.#updateInterest();
    }
    return bytes;
  }

  /** Lets the link keep the process alive (the default), or not. */
  ref(): void {
    if (!this.#closed) this.#watcher.ref();
  }

  unref(): void {
    if (!this.#closed) this.#watcher.unref();
  }

  /**
   * Closes once everything queued is sent, or after a second. What the peer has sent meanwhile is read and thrown away: a
   * socket closed with unread packets resets the peer, which could then lose the last answer.
   */
  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#onReadable();
    if (this.#closed) return;
    if (this.#queue.length === 0) {
      this.close();
      return;
    }
    this.#endTimer = setTimeout(() => this.close(), END_GRACE_MS);
    this.#updateInterest();
  }

  /** Closes at once; idempotent. Queued messages are lost. `error` is handed to `onClose`. */
  close(error?: SealaneError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#endTimer);
    this.#watcher.close();
    this.#route?.close();
    this.#socket.close();
    for (const queued of this.#queue.splice(0)) release(queued);
    queueMicrotask(() => this.#options.onClose(error));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #sendPacket(message: Uint8Array, descriptors: readonly number[]): void {
    if (this.#queue.length === 0) {
      const outcome = this.#trySend(message, descriptors);
      if (outcome === 'sent' || outcome === 'broken') return;
      this.#enqueue(message, descriptors);
      this.#waitToSend(outcome);
      return;
    }
    this.#enqueue(message, descriptors);
  }

  #enqueue(message: Uint8Array, descriptors: readonly number[]): void {
    const owned: OwnedDescriptor[] = [];
    try {
      for (const descriptor of descriptors) owned.push(OwnedDescriptor.duplicate(descriptor));
    } catch (error) {
      for (const descriptor of owned) descriptor.close();
      throw error;
    }
    this.#queue.push({ message, descriptors: owned });
  }

  #trySend(message: Uint8Array, descriptors: readonly number[]): 'sent' | 'full' | 'in-flight' | 'broken' {
    try {
      const detached = isDetached(message);
      if (detached && !this.#hasRoomForBody()) return 'in-flight';
      if (descriptors.length > 0 && this.#route?.mayCarry(descriptors.length) === false) return 'in-flight';
      const outcome = this.#socket.send(message, descriptors);
      if (outcome !== 'sent') return outcome;
      if (detached) this.#detachedSent++;
      this.#route?.carried(descriptors.length);
      return outcome;
    } catch (error) {
      this.#failSend(asSealaneError(error));
      return 'broken';
    }
  }

  #hasRoomForBody(): boolean {
    if (this.#detachedSent >= MAX_DETACHED_UNREAD && this.#socket.unread === 0) this.#detachedSent = 0;
    return this.#detachedSent < MAX_DETACHED_UNREAD;
  }

  /** The peer is gone, but its last words may still be there to be read: an error answer, for example. */
  #failSend(error: SealaneError): void {
    if (this.#ending) {
      this.close();
      return;
    }
    queueMicrotask(() => {
      if (!this.#closed) this.#onReadable();
      this.close(error);
    });
  }

  /** Sends the first queued message. Gives its bytes; undefined: there is none, or it can't be sent now. */
  #sendQueued(): number | undefined {
    const head = this.#writable && !this.#closed ? this.#queue[0] : undefined;
    if (head === undefined || this.#retryTimer !== undefined) {
      this.#writable = false;
      return undefined;
    }
    const outcome = this.#trySend(
      head.message,
      head.descriptors.map(({ fd }) => fd),
    );
    if (outcome === 'broken' || this.#closed) return undefined;
    if (outcome !== 'sent') {
      this.#writable = false;
      this.#waitToSend(outcome);
      return undefined;
    }
    this.#retryMs = IN_FLIGHT_RETRY_MS;
    this.#queue.shift();
    release(head);
    if (this.#queue.length === 0) this.#onSent();
    return head.message.length;
  }

  #onSent(): void {
    if (this.#ending) {
      this.close();
      return;
    }
    this.#updateInterest();
    this.#options.onDrained?.();
  }

  #waitToSend(reason: 'full' | 'in-flight'): void {
    if (reason === 'in-flight' && this.#retryTimer === undefined) {
      this.#retryTimer = setTimeout(() => this.#retry(), this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_IN_FLIGHT_RETRY_MS);
    }
    this.#updateInterest();
  }

  #retry(): void {
    this.#retryTimer = undefined;
    if (!this.#closed) this.#onReady(false, true);
  }

  #updateInterest(): void {
    if (this.#closed) return;
    const writable = this.#queue.length > 0 && this.#retryTimer === undefined;
    const readable = !this.#paused || this.#ending;
    this.#watcher.want(readable && !this.#told, writable && !this.#told);
  }

  #onReady(readable: boolean, writable: boolean): void {
    if (this.#closed) return;
    this.#writable ||= writable;
    if (this.#options.onReady !== undefined) {
      this.#tell(this.#options.onReady);
      return;
    }
    while (this.#writable && !this.#closed && this.#sendQueued() !== undefined);
    if (readable) this.#onReadable();
  }

  #tell(onReady: () => void): void {
    if (this.#told) return;
    this.#told = true;
    onReady();
    if (this.#told) this.#updateInterest();
  }

  #onReadable(): void {
    for (let count = 0; count < this.#options.messagesPerTurn; count++)
      if (this.#receiveOne() === undefined) return;
  }

  /** Takes a message, or throws it away when the link ends. Gives its bytes; undefined: there is none, or it is not to be read now. */
  #receiveOne(): number | undefined {
    if (this.#closed || (this.#paused && !this.#ending)) return undefined;
    const packet = this.#receive();
    if (packet === undefined) return undefined;
    if (this.#ending) disposeDescriptors(packet.descriptors);
    else return this.#deliver(packet);
    return packet.bytes;
  }

  #receive(): Packet | undefined {
    try {
      const { bare = false } = this.#options;
      const packet = bare ? this.#socket.receiveBare(receiveBuffer) : this.#socket.receive(receiveBuffer);
      if (packet === 'end') this.close();
      if (packet === 'descriptors') throw unwanted();
      return typeof packet === 'string' ? undefined : packet;
    } catch (error) {
      this.close(asSealaneError(error));
      return undefined;
    }
  }

  #deliver(packet: Packet): number {
    const { descriptors } = packet;
    let message: Uint8Array = receiveBuffer.subarray(0, packet.bytes);
    try {
      if (packet.truncated) throw tooLarge();
      if (isDetached(message)) message = attach(message, descriptors, this.#options.maxMessageBytes);
    } catch (error) {
      disposeDescriptors(descriptors);
      this.close(asSealaneError(error));
      return packet.bytes;
    }
    const { length } = message;
    this.#options.onMessage(message, descriptors, packet.descriptorsLost);
    return length;
  }
}

function release(queued: Queued): void {
  for (const descriptor of queued.descriptors) descriptor.close();
}

function tooLarge(): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', `a packet is over the limit of ${MAX_PACKET_BYTES} bytes`);
}

function unwanted(): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', 'descriptors came on a connection that takes none');
}

function asSealaneError(error: unknown): SealaneError {
  if (error instanceof SealaneError) return error;
  return new SealaneError('ERR_SEALANE_INTERNAL', `unexpected failure of a connection: ${String(error)}`, {
    cause: error,
  });
}
