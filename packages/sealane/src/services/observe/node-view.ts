/**
 * One node, seen by an observer: asks it for its figures, and reads them. Owns the connection and the mapping. Trusts the node in nothing: the
 * memory must have the seals that make it safe to map, and what is in it is checked whenever it is read.
 */
import { isSealaneError } from '../../base/errors.js';
import {
  disposeDescriptors,
  Mapping,
  type Packet,
  POOL_SEALS,
  requireSealedMemory,
  UnixSocket,
} from '../../os/index.js';
import { type PortSnapshot, readFigures } from '../../shm/figures-reader.js';
import { HANDSHAKE_MAX_REFUSE_BYTES, HANDSHAKE_REFUSE } from '../../shm/layout.js';
import { protocolError } from '../../wire/index.js';
import type { Domain } from '../domain/domain.js';
import { isOwnUser } from '../domain/trust.js';
import { receiveQuietly } from '../pairs/acceptor.js';
import type { ControlLoop } from '../pairs/control.js';
import { decodeAnswer } from '../pairs/handshake.js';
import { decodeFigures, encodeObserve } from '../pairs/observe-packets.js';

/** What a node told at one moment: its ports by their numbers. */
export interface NodeSnapshot {
  readonly atMs: number;
  readonly ports: ReadonlyMap<number, PortSnapshot>;
}

/** New memory that one node may hand out between two looks: it grows by doubling. */
const MAX_MOVES = 16;

const TYPE_AT = 6;

/** Room for the longest answer and one byte. */
const buffer = new Uint8Array(HANDSHAKE_MAX_REFUSE_BYTES + 1);

export class NodeView implements Disposable {
  readonly id: string;
  /** Why it can't be observed; undefined: it is, or was asked. */
  problem: string | undefined;
  /** Nobody listens there any more. */
  dead = false;
  readonly #loop: ControlLoop;
  readonly #domain: Domain;
  #socket: UnixSocket | undefined;
  #key = 0;
  #memory: Mapping | undefined;
  #moves = 0;
  /** It is another user's, and stays so. */
  #foreign = false;
  #before: NodeSnapshot | undefined;
  #now: NodeSnapshot | undefined;

  constructor(loop: ControlLoop, domain: Domain, id: string) {
    this.#loop = loop;
    this.#domain = domain;
    this.id = id;
  }

  /** The process that listens, as the kernel says; 0: outside this pid namespace, or not known. */
  get pid(): number {
    return this.#socket?.peer.pid ?? 0;
  }

  /** What was told at the last look. */
  get now(): NodeSnapshot | undefined {
    return this.#now;
  }

  /** What was told at the look before, or when its figures came first. */
  get before(): NodeSnapshot | undefined {
    return this.#before;
  }

  /** Reads the figures, or asks for them where there is no connection. */
  look(): void {
    if (this.#foreign) return;
    this.#moves = 0;
    if (this.#socket === undefined) this.#guarded(() => this.#ask());
    else this.#guarded(() => this.#read());
  }

  close(): void {
    this.#disconnect();
    this.#forget();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whatever is wrong with a node is its problem, and ends the connection. It is asked again at the next look. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      this.dead = error.errnoName === 'ECONNREFUSED' || error.errnoName === 'ENOENT';
      this.problem = error.message;
      this.close();
    }
  }

  #ask(): void {
    const socket = UnixSocket.connect(this.#domain.nodeSocket(this.id));
    if (socket === undefined) return;
    this.#socket = socket;
    this.#key = -1;
    if (!isOwnUser(socket.peer.uid)) {
      this.#foreign = true;
      throw protocolError(`it is of user ${socket.peer.uid}, and shows its figures to that user only`);
    }
    socket.send(encodeObserve());
    this.#key = this.#loop.watch(socket.fd, () => this.#guarded(() => this.#onReadable(socket)));
  }

  #onReadable(socket: UnixSocket): void {
    const packet = receiveQuietly(socket, buffer);
    if (packet === 'empty') return;
    if (packet === 'end') this.close();
    else this.#answered(packet);
  }

  #answered(packet: Packet): void {
    try {
      const bytes = buffer.subarray(0, packet.bytes);
      if (bytes[TYPE_AT] === HANDSHAKE_REFUSE) throw refused(bytes);
      const length = decodeFigures(bytes);
      const [fd] = packet.descriptors;
      if (fd === undefined || packet.descriptors.length !== 1)
        throw protocolError(`its figures come with ${packet.descriptors.length} descriptors, not 1`);
      this.#moves += 1;
      if (this.#moves > MAX_MOVES) throw protocolError('it hands out its figures again and again');
      this.#map(fd, length);
    } finally {
      disposeDescriptors(packet.descriptors);
    }
  }

  #map(fd: number, bytes: number): void {
    requireSealedMemory(fd, POOL_SEALS, bytes, 'the memory of its figures');
    const memory = Mapping.sharedReadOnly(fd, 0, bytes);
    this.#memory?.close();
    this.#memory = memory;
    this.problem = undefined;
    if (this.#now === undefined) this.#read();
  }

  #read(): void {
    const ports = this.#memory === undefined ? undefined : readFigures(this.#memory.buffer);
    if (ports === undefined) return;
    this.#before = this.#now;
    this.#now = { atMs: performance.now(), ports: new Map(ports.map((port) => [port.port, port])) };
  }

  #disconnect(): void {
    if (this.#socket === undefined) return;
    if (this.#key >= 0) this.#loop.unwatch(this.#socket.fd, this.#key);
    this.#socket.close();
    this.#socket = undefined;
  }

  #forget(): void {
    this.#memory?.close();
    this.#memory = undefined;
    this.#before = undefined;
    this.#now = undefined;
  }
}

function refused(packet: Uint8Array): Error {
  const answer = decodeAnswer(packet, decodeFigures);
  return protocolError(typeof answer === 'number' ? 'it refuses nothing' : answer.text);
}
