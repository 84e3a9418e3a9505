/**
 * How a publisher and a subscriber become a pair: the publisher makes the control memory and hands out descriptors, the subscriber checks
 * and maps them. Owns what it makes until the pair does. Trusts neither side: descriptors must have the seals that make them safe to map.
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
import { beginChannel, channelBytes, channelShape } from '../../shm/channel.js';
import { protocolError } from '../../wire/index.js';
import type { Accepted } from '../pairs/connector.js';
import type { ControlLoop } from '../pairs/control.js';
import { type ConnectAccepted, encodeAccepted, type SubscribeRequest } from '../pairs/handshake.js';
import type { PairEvents } from '../pairs/pair-socket.js';
import type { InboundCompanion, InboundLuggage, OutboundLuggage } from './companion.js';
import { Inlet } from './inlet.js';
import { checkShape, mapSlots, type PayloadRules } from './inlet-segments.js';
import { Outlet } from './outlet.js';
import type { PublisherPort } from './publisher-port.js';

/** Descriptors that come with an acceptance: the memory of the slots and the control memory. */
export const PAIR_DESCRIPTORS = 2;

/** The publisher's side of a new pair. */
export interface Offer {
  readonly request: SubscribeRequest;
  /** Taken, once this returns. */
  readonly socket: UnixSocket;
  readonly port: PublisherPort;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
  readonly luggage: OutboundLuggage | undefined;
}

/**
 * Makes the control memory, fills in the history, and answers the subscriber. Undefined: the answer can't be sent now, for too many
 * descriptors are under way; the socket is still the caller's then. Throws ERR_SEALANE_EXHAUSTED, and what sending throws.
 */
export function offerPair(offer: Offer): Outlet | undefined {
  const { request, socket, port, luggage } = offer;
  const { segments } = port;
  const segment = segments.newest;
  const { shape } = segment.memory;
  const channel = channelShape(request.bufferSize, shape.slots);
  const control = SharedMemory.create('sealane-control', channelBytes(channel), CONTROL_SEALS);
  const history = Math.min(request.history, request.bufferSize);
  const sequenceBefore = port.sequenceBefore(history);
  const delivery = luggage === undefined ? {} : { delivery: luggage.delivery };
  const answer = encodeAccepted({ shape, segment: segment.id, ...channel, sequenceBefore, ...delivery });
  let outlet: Outlet | undefined;
  try {
    beginChannel(new Int32Array(control.buffer), channel);
    if (socket.send(answer, [segment.descriptor, control.descriptor]) !== 'sent') return undefined;
    const peer = { node: request.node, port: request.receiver, pid: socket.peer.pid };
    const { bufferSize, maxBorrowed } = request;
    outlet = new Outlet({
      peer,
      socket,
      shape: channel,
      bufferSize,
      maxBorrowed,
      control: control.mapping,
      segment,
      maxSegments: segments.maxSegments,
      loop: offer.loop,
      events: offer.events,
      luggage,
    });
    port.add(outlet, history);
    return outlet;
  } finally {
    // The subscriber has a descriptor of its own, and the mapping stays.
    if (outlet === undefined) control.close();
    else control.memfd.close();
  }
}

/** The subscriber's side of a new pair. */
export interface Acceptance extends Accepted<ConnectAccepted> {
  /** What was asked for. */
  readonly bufferSize: number;
  readonly maxBorrowed: number;
  readonly rules: PayloadRules;
  readonly loop: ControlLoop;
  readonly events: PairEvents;
  readonly luggage: InboundLuggage | undefined;
}

/**
 * Checks what the publisher handed out, and maps it. Throws ERR_SEALANE_PROTOCOL, ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED,
 * ERR_SEALANE_SIZE_MISMATCH for what a publisher of this library never sends, ERR_SEALANE_EXHAUSTED.
 */
export function acceptPair(acceptance: Acceptance): Inlet {
  const { answer, descriptors, bufferSize, rules } = acceptance;
  const mapped: Mapping[] = [];
  try {
    const [slotsFd, controlFd] = descriptors;
    if (slotsFd === undefined || controlFd === undefined || descriptors.length !== PAIR_DESCRIPTORS)
      throw protocolError(`an acceptance comes with ${descriptors.length} descriptors, not 2`);
    checkCells(answer, bufferSize);
    const companion = companionOf(acceptance);
    checkShape(answer.shape, answer.segment, rules);
    const controlBytes = channelBytes(answer);
    const slots = mapSlots(slotsFd, answer.shape);
    mapped.push(slots);
    requireSealedMemory(controlFd, CONTROL_SEALS, controlBytes, 'the control memory of a pair');
    const control = Mapping.shared(controlFd, 0, controlBytes);
    mapped.push(control);
    const { peer, socket, loop, events } = acceptance;
    const inlet = new Inlet({
      peer,
      socket,
      loop,
      events,
      slots,
      control,
      rules,
      segment: answer.segment,
      slotShape: answer.shape,
      channelShape: answer,
      sequenceBefore: answer.sequenceBefore,
      bufferSize,
      maxBorrowed: acceptance.maxBorrowed,
      companion,
    });
    for (const fd of descriptors) closeDescriptor(fd);
    return inlet;
  } catch (error) {
    for (const mapping of mapped) mapping.close();
    // Whatever they are, their sender could keep this thread at their close.
    disposeDescriptors(descriptors);
    throw error;
  }
}

/** Publishers hand over descriptors beside samples to whom wants them, and to nobody else. */
function companionOf({ answer, luggage, peer, bufferSize }: Acceptance): InboundCompanion | undefined {
  const { delivery, shape, sequenceBefore } = answer;
  if ((delivery === undefined) !== (luggage === undefined))
    throw protocolError(`a publisher hands over ${delivery ?? 'nothing'} beside samples, unasked`);
  if (delivery === undefined) return undefined;
  return luggage?.companion({ delivery, peer, slots: shape.slots, bufferSize, sequenceBefore });
}

/** The rings must have the cells that follow from what was asked for. */
function checkCells(answer: ConnectAccepted, bufferSize: number): void {
  const expected = channelShape(bufferSize, answer.shape.slots);
  const { submissionCells, completionCells } = answer;
  if (submissionCells === expected.submissionCells && completionCells === expected.completionCells) return;
  throw protocolError(
    `a publisher offers rings of ${submissionCells} and ${completionCells} cells; ` +
      `${expected.submissionCells} and ${expected.completionCells} are due`,
  );
}
