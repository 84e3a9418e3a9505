/**
 * The notifier's end of one pair. Owns the socket, and the mapping of the event set. Trusts nothing that the listener writes there: it can
 * only miss its own events.
 */
import type { Mapping, UnixSocket } from '../../os/index.js';
import { EventWriter, LISTENER_WAITING, NOTIFIER_WAITING } from '../../shm/event-set.js';
import type { PortAddress } from '../pairs/address.js';
import type { ControlLoop } from '../pairs/control.js';
import { type PairEvents, PairSocket } from '../pairs/pair-socket.js';

/** What either end of a pair has. */
export interface EventEndOptions {
  readonly peer: PortAddress;
  readonly socket: UnixSocket;
  /** The event set. */
  readonly memory: Mapping;
  readonly eventIds: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
}

/** One listener, seen from the notifier. */
export class EventOutlet {
  readonly peer: PortAddress;
  /** What the listener did that can't be. */
  lie: string | undefined;
  readonly #socket: PairSocket;
  readonly #memory: Mapping;
  readonly #words: Int32Array;
  readonly #writer: EventWriter;
  #closed = false;

  constructor({ peer, socket, memory, eventIds, loop, events }: EventEndOptions) {
    this.peer = peer;
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#writer = new EventWriter(this.#words, eventIds);
    this.#socket = new PairSocket(socket, loop, this.#words, NOTIFIER_WAITING, LISTENER_WAITING, events);
  }

  /** Whether the listener says that it sleeps. */
  get waits(): boolean {
    return !this.#closed && Atomics.load(this.#words, LISTENER_WAITING) !== 0;
  }

  /** Tells the listener of an id that there is, and wakes it if it sleeps. */
  notify(id: number): void {
    // Behind the mark: the other half of the agreement in waiting.ts.
    if (this.#writer.notify(id)) this.#socket.wakeIfWaiting(0);
  }

  /** Ends the connection: the listener finds out at once, and that it is no death. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#writer.sayGoodbye();
    this.#socket.close();
    this.#memory.close();
  }
}
