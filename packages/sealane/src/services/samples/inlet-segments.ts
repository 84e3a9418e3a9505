/**
 * The segments of one publisher that a subscriber knows. Owns their mappings. What the publisher says of a segment, and what it hands out,
 * is checked against the service's settings and the first segment before it is mapped.
 */

import { SealaneError } from '../../base/errors.js';
import { disposeDescriptors, Mapping, type Packet, POOL_SEALS, requireSealedMemory } from '../../os/index.js';
import { CELL_MAX_LIVE_SEGMENTS } from '../../shm/layout.js';
import { protocolError } from '../../wire/index.js';
import type { ServiceSettings } from '../domain/settings.js';
import { memoryBytes, SlotMemory, type SlotShape } from '../pairs/slots.js';
import { InletSegment } from './inlet-segment.js';
import type { Borrower } from './received.js';
import { decodeSegmentPacket, type SegmentAdded, type SegmentRetired } from './segment-packets.js';

/** What the service says of payloads. */
export type PayloadRules = Pick<ServiceSettings, 'payload' | 'maxBytes'>;

/** Throws ERR_SEALANE_PROTOCOL unless slots of that shape, in a segment of that number, are what the service allows. */
export function checkShape(shape: SlotShape, segment: number, { payload, maxBytes }: PayloadRules): void {
  if (segment !== 0 && payload !== 'growing')
    throw protocolError(`a publisher hands out segment ${segment} in a service whose memory does not grow`);
  if (shape.maxBytes > maxBytes || (payload === 'fixed' && shape.maxBytes !== maxBytes))
    throw protocolError(
      `a publisher has slots for ${shape.maxBytes} bytes; those of the service are ${maxBytes}`,
    );
}

/**
 * Maps the memory of a publisher's slots for reading, guarded slot by slot. Borrows the descriptor. Throws ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED,
 * ERR_SEALANE_SIZE_MISMATCH, ERR_SEALANE_EXHAUSTED.
 */
export function mapSlots(fd: number, shape: SlotShape): Mapping {
  const bytes = memoryBytes(shape);
  requireSealedMemory(fd, POOL_SEALS, bytes, "the memory of a publisher's slots");
  return Mapping.guarded(fd, bytes, shape.strideBytes);
}

export class InletSegments {
  readonly #borrower: Borrower;
  readonly #rules: PayloadRules;
  readonly #firstShape: SlotShape;
  readonly #byId = new Map<number, InletSegment>();

  constructor(borrower: Borrower, rules: PayloadRules, firstShape: SlotShape) {
    this.#borrower = borrower;
    this.#rules = rules;
    this.#firstShape = firstShape;
  }

  get(id: number): InletSegment | undefined {
    return this.#byId.get(id);
  }

  /** Adds a segment. Takes the mapping; throws ERR_SEALANE_LIMIT_EXCEEDED when one ArrayBuffer does not hold it, which is closed then. */
  add(id: number, mapping: Mapping, shape: SlotShape): InletSegment {
    const { payload, maxBytes } = this.#rules;
    try {
      const memory = new SlotMemory(mapping.buffer, shape, payload === 'fixed' ? maxBytes : 0);
      const segment = new InletSegment(this.#borrower, id, mapping, memory);
      this.#byId.set(id, segment);
      return segment;
    } catch (error) {
      mapping.close();
      throw error;
    }
  }

  /**
   * Does what a packet of the publisher says, and takes its descriptors. Throws ERR_SEALANE_EXHAUSTED when they had no room here, what
   * {@link mapSlots} and {@link add} throw, and ERR_SEALANE_PROTOCOL.
   */
  apply(bytes: Uint8Array, { descriptors, descriptorsLost }: Packet): void {
    try {
      const change = decodeSegmentPacket(bytes);
      if (change.type === 'retired') this.#retire(change, descriptors);
      else if (descriptorsLost && descriptors.length === 0) throw lostDescriptors();
      else this.#added(change, descriptors);
    } finally {
      disposeDescriptors(descriptors);
    }
  }

  /** As {@link InletSegment.restore}, of all. Throws ERR_SEALANE_EXHAUSTED. */
  restore(): number[] {
    return [...this.#byId.values()].flatMap((segment) => segment.restore());
  }

  /** All memory is given back. */
  close(): void {
    for (const segment of this.#byId.values()) segment.close();
    this.#byId.clear();
  }

  #added({ segment, strideBytes, maxBytes }: SegmentAdded, descriptors: readonly number[]): void {
    const [fd] = descriptors;
    if (fd === undefined || descriptors.length !== 1)
      throw protocolError(`a segment comes with ${descriptors.length} descriptors, not 1`);
    if (this.#byId.has(segment)) throw protocolError(`a publisher hands out segment ${segment} twice`);
    if (this.#byId.size >= CELL_MAX_LIVE_SEGMENTS)
      throw protocolError(`a publisher has more than ${CELL_MAX_LIVE_SEGMENTS} segments`);
    const shape = { ...this.#firstShape, strideBytes, maxBytes };
    if (shape.payloadOffset + maxBytes > strideBytes)
      throw protocolError(`slots of ${strideBytes} bytes have no room for ${maxBytes} bytes`);
    checkShape(shape, segment, this.#rules);
    this.add(segment, mapSlots(fd, shape), shape);
  }

  #retire({ segment: id }: SegmentRetired, descriptors: readonly number[]): void {
    const segment = this.#byId.get(id);
    if (segment === undefined || descriptors.length > 0)
      throw protocolError(`a publisher retires segment ${id}, which it did not hand out`);
    if (segment.inUse) throw protocolError(`a publisher retires segment ${id}, of which a sample is held`);
    this.#byId.delete(id);
    segment.close();
  }
}

function lostDescriptors(): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_EXHAUSTED',
    'this process has no descriptor left for the memory of a publisher that grows: close some, or raise RLIMIT_NOFILE (ulimit -n)',
  );
}
