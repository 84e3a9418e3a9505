/**
 * What a subscriber of buffers receives ahead of samples from one publisher. Own the descriptors until they are claimed, or the pair is over.
 * Trust nothing: tokens, indices, counts and kinds are checked, and a publisher that lies loses its connection.
 */
import { SealaneError } from '../base/errors.js';
import { disposeDescriptors, disposeMemory, type Packet } from '../os/index.js';
import type { InboundCompanion, InboundPair } from '../services/samples/companion.js';
import type { HotSample } from '../services/samples/received.js';
import { HANDSHAKE_BUFFER, HANDSHAKE_DESCRIPTORS } from '../shm/layout.js';
import { protocolError } from '../wire/index.js';
import { MAX_IN_FLIGHT } from './flight.js';
import type { DescriptorViews } from './frame-bytes.js';
import { type AllowedKinds, areAllowedMemory, problemOf } from './kinds.js';
import { decodeBuffer, decodeDescriptors, typeOf } from './packets.js';

/** Descriptors that came, or why they can't be used; they are closed then. */
export class Arrival {
  readonly descriptors: readonly number[];
  readonly problem: SealaneError | undefined;
  /** They are sealed memory, without doubt. */
  readonly #areMemory: boolean;
  /** They are a buffer's of a pool, for all its frames. */
  pooled = false;
  /** The object by which its frames are shown that are used again. */
  hot: object | undefined;
  /** A buffer's, for all its frames: made for who looks. */
  views: DescriptorViews | undefined;
  /** Bytes behind each: asked for who wants to know. */
  sizes: readonly number[] | undefined;

  /** Takes the descriptors; a problem that is known already comes first. */
  constructor(descriptors: readonly number[], allowed: AllowedKinds, problem?: SealaneError) {
    this.#areMemory = problem === undefined && areAllowedMemory(descriptors, allowed);
    this.problem = this.#areMemory ? undefined : (problem ?? problemOf(descriptors, allowed));
    if (this.problem !== undefined) disposeDescriptors(descriptors);
    this.descriptors = this.problem === undefined ? descriptors : [];
  }

  /** Those of a packet that states so many; surplus ones are closed. Throws ERR_SEALANE_PROTOCOL: fewer came, and the kernel dropped none. */
  static of({ descriptors, descriptorsLost }: Packet, count: number, allowed: AllowedKinds): Arrival {
    if (descriptors.length < count) {
      if (descriptorsLost) return new Arrival(descriptors, allowed, exhausted());
      disposeDescriptors(descriptors);
      throw protocolError(`${descriptors.length} descriptors come where ${count} are stated`);
    }
    if (descriptors.length > count) disposeDescriptors(descriptors.splice(count));
    return new Arrival(descriptors, allowed);
  }

  /** Closes those that are left of them. */
  dispose(descriptors: readonly number[]): void {
    if (this.#areMemory) disposeMemory(descriptors);
    else disposeDescriptors(descriptors);
  }

  close(): void {
    this.views?.close();
    this.dispose(this.descriptors);
  }
}

/** Told what a publisher did that it may not, by its code. */
export type TellLie = (error: SealaneError) => void;

/** Packets in front of that of a sample: far more than an honest publisher has under way, of frames, segments and wake-ups together. */
const MAX_LOOKS = 4 * MAX_IN_FLIGHT;

interface Waiting {
  readonly token: number;
  readonly arrival: Arrival;
}

/** The receiving end of the side channel on the socket of a pair. */
export class DescriptorReceiver implements InboundCompanion {
  readonly #allowed: AllowedKinds;
  readonly #tellLie: TellLie;
  readonly #onClose: (receiver: DescriptorReceiver) => void;
  /** Most that can still belong to a sample: those before them gave way. */
  readonly #mostWaiting: number;
  /** Those that came and were not claimed, the oldest first. */
  #waiting: Waiting[] = [];
  #lastToken: number;
  #lastClaimed: number;
  /** Takes the next packet of the socket, once it is known. */
  #serve: () => boolean = () => false;

  constructor(
    { bufferSize, sequenceBefore }: InboundPair,
    allowed: AllowedKinds,
    tellLie: TellLie,
    onClose: (receiver: DescriptorReceiver) => void = () => undefined,
  ) {
    this.#onClose = onClose;
    this.#allowed = allowed;
    this.#tellLie = tellLie;
    // A packet is sent once there is room in the ring for its sample, so that at most the other samples are in it then.
    this.#mostWaiting = bufferSize + 1;
    this.#lastToken = sequenceBefore;
    this.#lastClaimed = sequenceBefore;
  }

  take(bytes: Uint8Array, packet: Packet): boolean {
    if (typeOf(bytes) !== HANDSHAKE_DESCRIPTORS) return false;
    const { token, count } = this.#decode(bytes, packet);
    // What this process had no descriptor left for is one frame, and not the connection.
    this.#waiting.push({ token, arrival: Arrival.of(packet, count, this.#allowed) });
    this.#lastToken = token;
    while (this.#waiting.length > this.#mostWaiting) this.#waiting.shift()?.arrival.close();
    return true;
  }

  /**
   * Takes the next packet ahead of its sample, if it is there: for who looks again and again, so that its descriptors are checked while the
   * sample is still being published.
   */
  look(): void {
    this.#serve();
  }

  claim(sample: HotSample, serve: () => boolean): void {
    this.#serve = serve;
    try {
      sample.luggage = this.#find(sample.sequence, serve);
    } catch (error) {
      if (error instanceof SealaneError) this.#tellLie(error);
      throw error;
    }
  }

  close(): void {
    this.#serve = () => false;
    for (const { arrival } of this.#waiting) arrival.close();
    this.#waiting = [];
    this.#onClose(this);
  }

  /** The packet of the sample is there already, behind those of samples that gave way. */
  #find(token: number, serve: () => boolean): Arrival {
    if (token <= this.#lastClaimed) throw mismatch(token, `comes after ${this.#lastClaimed}`);
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const first = this.#firstFrom(token);
      if (first !== undefined) return this.#claimFirst(first, token);
      if (!serve()) break;
    }
    throw new SealaneError(
      'ERR_SEALANE_MISSING_DESCRIPTOR',
      `frame ${token} came without its descriptors; the last that came are of ${this.#lastToken}`,
      { sequence: token },
    );
  }

  /** The oldest that does not belong to a frame before that; those are closed. */
  #firstFrom(token: number): Waiting | undefined {
    while (this.#waiting[0] !== undefined && this.#waiting[0].token < token)
      this.#waiting.shift()?.arrival.close();
    return this.#waiting[0];
  }

  #claimFirst(first: Waiting, token: number): Arrival {
    if (first.token !== token) throw mismatch(token, `came with the descriptors of ${first.token}`);
    this.#waiting.shift();
    this.#lastClaimed = token;
    return first.arrival;
  }

  /** The descriptors are closed when this throws. */
  #decode(bytes: Uint8Array, { descriptors }: Packet) {
    try {
      const packet = decodeDescriptors(bytes);
      if (packet.token > this.#lastToken) return packet;
      throw mismatch(packet.token, `follows ${this.#lastToken}`);
    } catch (error) {
      disposeDescriptors(descriptors);
      if (error instanceof SealaneError) this.#tellLie(error);
      throw error;
    }
  }
}

/** The buffers of a publisher's pool, of which each is a slot. */
export class PoolReceiver implements InboundCompanion {
  readonly #allowed: AllowedKinds;
  readonly #tellLie: TellLie;
  readonly #buffers: (Arrival | undefined)[];
  /** This process had no descriptor for those of a buffer. */
  #exhausted = false;

  constructor({ slots }: InboundPair, allowed: AllowedKinds, tellLie: TellLie) {
    this.#allowed = allowed;
    this.#tellLie = tellLie;
    this.#buffers = Array.from({ length: slots }, () => undefined);
  }

  take(bytes: Uint8Array, packet: Packet): boolean {
    if (typeOf(bytes) !== HANDSHAKE_BUFFER) return false;
    const { index, count } = this.#decode(bytes, packet);
    const arrival = Arrival.of(packet, count, this.#allowed);
    // Without them no frame of this buffer can ever be received: another connection brings them anew.
    if (arrival.problem?.code === 'ERR_SEALANE_EXHAUSTED') throw this.#giveUp(arrival.problem);
    arrival.pooled = true;
    this.#buffers[index] = arrival;
    return true;
  }

  claim(sample: HotSample, serve: () => boolean): void {
    for (let looks = 0; this.#buffers[sample.slot] === undefined && looks < MAX_LOOKS && serve(); looks++);
    const buffer = this.#buffers[sample.slot];
    if (buffer === undefined) {
      const message = `frame ${sample.sequence} is in buffer ${sample.slot}, whose descriptors did not come`;
      const error = new SealaneError('ERR_SEALANE_MISSING_DESCRIPTOR', message, {
        sequence: sample.sequence,
      });
      if (!this.#exhausted) this.#tellLie(error);
      throw error;
    }
    sample.luggage = buffer;
  }

  /** Nobody lied: what is told is why this side can't go on. */
  #giveUp(problem: SealaneError): SealaneError {
    this.#exhausted = true;
    this.#tellLie(problem);
    return problem;
  }

  close(): void {
    for (const buffer of this.#buffers.splice(0)) buffer?.close();
  }

  /** The descriptors are closed when this throws. */
  #decode(bytes: Uint8Array, { descriptors }: Packet) {
    try {
      const packet = decodeBuffer(bytes, this.#buffers.length);
      if (this.#buffers[packet.index] === undefined) return packet;
      throw protocolError(`buffer ${packet.index} of a pool comes twice`);
    } catch (error) {
      disposeDescriptors(descriptors);
      throw error;
    }
  }
}

function mismatch(token: number, what: string): SealaneError {
  return new SealaneError('ERR_SEALANE_TOKEN_MISMATCH', `frame ${token} ${what}`, { sequence: token });
}

function exhausted(): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_EXHAUSTED',
    'this process has no descriptor left for those of a frame: close frames, or raise RLIMIT_NOFILE (ulimit -n)',
  );
}
