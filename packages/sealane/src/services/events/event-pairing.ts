/**
 * How a notifier and a listener become a pair: the notifier makes the event set and hands it out, the listener checks and maps it. Owns
 * what it makes until the pair does. Trusts neither side: the descriptor must have the seals that make it safe to map.
 */
import {
  CONTROL_SEALS,
  closeDescriptor,
  disposeDescriptors,
  Mapping,
  requireSealedMemory,
  SharedMemory,
  type UnixSocket,
} from '../../os/index.js';
import { beginEventSet, eventSetBytes } from '../../shm/event-set.js';
import { protocolError } from '../../wire/index.js';
import type { Accepted } from '../pairs/connector.js';
import type { ControlLoop } from '../pairs/control.js';
import { encodeListenAccepted, type ListenAccepted, type ListenRequest } from '../pairs/handshake.js';
import type { PairEvents } from '../pairs/pair-socket.js';
import { EventInlet } from './event-inlet.js';
import { EventOutlet } from './event-outlet.js';

/** Descriptors that come with an acceptance: the event set. */
export const EVENT_DESCRIPTORS = 1;

/** The notifier's side of a new pair. */
export interface EventOffer {
  readonly request: ListenRequest;
  /** Taken, once this returns. */
  readonly socket: UnixSocket;
  readonly eventIds: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
}

/**
 * Makes the event set, and answers the listener. Undefined: the answer can't be sent now, for too many descriptors are under way; the
 * socket is still the caller's then. Throws ERR_SEALANE_EXHAUSTED, and what sending throws.
 */
export function offerEvents(offer: EventOffer): EventOutlet | undefined {
  const { request, socket, eventIds, loop, events } = offer;
  const memory = SharedMemory.create('sealane-events', eventSetBytes(eventIds), CONTROL_SEALS);
  let outlet: EventOutlet | undefined;
  try {
    beginEventSet(new Int32Array(memory.buffer), eventIds);
    if (socket.send(encodeListenAccepted({ eventIds }), [memory.descriptor]) !== 'sent') return undefined;
    const peer = { node: request.node, port: request.receiver, pid: socket.peer.pid };
    outlet = new EventOutlet({ peer, socket, memory: memory.mapping, eventIds, loop, events });
    return outlet;
  } finally {
    // The listener has a descriptor of its own, and the mapping stays.
    if (outlet === undefined) memory.close();
    else memory.memfd.close();
  }
}

/** The listener's side of a new pair. */
export interface EventAcceptance extends Accepted<ListenAccepted> {
  /** How many ids the service has. */
  readonly eventIds: number;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
}

/**
 * Checks what the notifier handed out, and maps it. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED,
 * ERR_SEALANE_SIZE_MISMATCH for what a notifier of this library never sends, ERR_SEALANE_EXHAUSTED.
 */
export function acceptEvents(acceptance: EventAcceptance): EventInlet {
  const { answer, descriptors, eventIds, peer, socket, loop, events } = acceptance;
  let memory: Mapping | undefined;
  try {
    const [fd] = descriptors;
    if (fd === undefined || descriptors.length !== EVENT_DESCRIPTORS)
      throw protocolError(`an acceptance comes with ${descriptors.length} descriptors, not 1`);
    if (answer.eventIds !== eventIds)
      throw protocolError(`a notifier offers ${answer.eventIds} ids, and the service has ${eventIds}`);
    const bytes = eventSetBytes(eventIds);
    requireSealedMemory(fd, CONTROL_SEALS, bytes, 'the event set of a pair');
    memory = Mapping.shared(fd, 0, bytes);
    const inlet = new EventInlet({ peer, socket, memory, eventIds, loop, events });
    closeDescriptor(fd);
    return inlet;
  } catch (error) {
    memory?.close();
    // Whatever they are, their sender could keep this thread at their close.
    disposeDescriptors(descriptors);
    throw error;
  }
}
