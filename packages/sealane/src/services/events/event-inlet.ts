/**
 * The listener's end of one pair: takes what was notified. Owns the socket, and the mapping of the event set. Trusts the notifier's counts
 * once they can be: one that lies loses its connection.
 */
import type { Mapping } from '../../os/index.js';
import { EventReader, LISTENER_WAITING, NOTIFIER_WAITING } from '../../shm/event-set.js';
import { CORRUPT, NONE } from '../../shm/outcome.js';
import type { PortAddress } from '../pairs/address.js';
import { PairSocket } from '../pairs/pair-socket.js';
import type { Inbound } from '../pairs/receiver-port.js';
import type { EventEndOptions } from './event-outlet.js';

/** One notifier, seen from the listener. */
export class EventInlet implements Inbound {
  readonly peer: PortAddress;
  lie: string | undefined;
  ended = false;
  reported = false;
  /** The notifier was closed; else its process died, or it lied. Known once the connection has ended. */
  dropped = false;
  readonly #socket: PairSocket;
  readonly #memory: Mapping;
  readonly #reader: EventReader;
  #closed = false;

  constructor({ peer, socket, memory, eventIds, loop, events }: EventEndOptions) {
    const words = new Int32Array(memory.buffer);
    this.peer = peer;
    this.#memory = memory;
    this.#reader = new EventReader(words, eventIds);
    this.#socket = new PairSocket(socket, loop, words, LISTENER_WAITING, NOTIFIER_WAITING, events);
  }

  get broken(): boolean {
    return this.lie !== undefined;
  }

  get ready(): boolean {
    return !this.#closed && !this.broken && this.#reader.ready;
  }

  /** How often the id that was taken last was notified. */
  get count(): number {
    return this.#reader.count;
  }

  /** Takes an id that was notified; NONE: there is none, or the notifier lies. */
  take(): number {
    if (this.#closed) return NONE;
    const id = this.#reader.take();
    if (id !== CORRUPT) return id;
    this.lie ??= 'a count or an id that can not be';
    return NONE;
  }

  beginWaiting(): void {
    this.#socket.beginWaiting(1);
  }

  endWaiting(): void {
    this.#socket.endWaiting();
  }

  end(): void {
    this.#finish();
    if (!this.ready) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#finish();
    this.#closed = true;
    this.#memory.close();
  }

  #finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.#socket.close();
    // Only now: what the notifier did before it ended is seen, and nothing that it does later.
    this.#reader.finish();
    this.dropped = this.lie === undefined && this.#reader.saidGoodbye;
  }
}
