/**
 * The broker as its own client: a connection that needs no path, counts against no limit, and proves that requests are answered.
 * Owns both its ends.
 */
import { closedError, type SealaneError } from '../base/errors.js';
import { MAX_PACKET_BYTES } from '../base/limits.js';
import { Link } from '../link/index.js';
import { UnixSocket } from '../os/unix-socket.js';
import { decodeHeader, encodeRequest, PROTOCOL_VERSION } from '../wire/index.js';
import type { Services } from './services.js';
import { Session } from './session.js';

/** The number of the hello; questions count up from it. */
const HELLO_ID = 1;

/** Request numbers are 32 bits wide. */
const MAX_REQUEST_ID = 0xffff_ffff;

interface Question {
  readonly resolve: () => void;
  readonly reject: (error: SealaneError) => void;
}

export class Probe {
  readonly #link: Link;
  readonly #questions = new Map<number, Question>();
  #lastId = HELLO_ID;

  /** Throws ERR_SEALANE_EXHAUSTED when no descriptors are left for the connection. */
  constructor(services: Services) {
    const [near, far] = UnixSocket.pair();
    // It does nothing that is recorded, so it is served also while nobody else is because nothing can be.
    new Session({ ...services, audit: undefined }, far, undefined, () => undefined);
    this.#link = new Link(near, {
      maxMessageBytes: MAX_PACKET_BYTES,
      messagesPerTurn: 1,
      onMessage: (message) => this.#onMessage(message),
      onClose: (error) => this.#onClose(error ?? closedError('the connection of the probe')),
    });
    const version = { minVersion: PROTOCOL_VERSION, maxVersion: PROTOCOL_VERSION };
    const most = { maxPacketBytes: MAX_PACKET_BYTES, maxMessageBytes: MAX_PACKET_BYTES };
    this.#link.send(encodeRequest({ type: 'hello', requestId: HELLO_ID, ...version, ...most }));
  }

  /** Whether it can ask no more. */
  get closed(): boolean {
    return this.#link.closed;
  }

  /** Asks the broker how it is; resolves when the answer came. Rejects when the connection ends before. */
  ask(): Promise<void> {
    if (this.closed) return Promise.reject(closedError('the connection of the probe'));
    this.#lastId = this.#lastId === MAX_REQUEST_ID ? HELLO_ID + 1 : this.#lastId + 1;
    const requestId = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#questions.set(requestId, { resolve, reject });
      this.#link.send(encodeRequest({ type: 'status', requestId }));
    });
  }

  close(): void {
    this.#link.close();
  }

  #onMessage(message: Uint8Array): void {
    const { requestId } = decodeHeader(message);
    this.#questions.get(requestId)?.resolve();
    this.#questions.delete(requestId);
  }

  #onClose(error: SealaneError): void {
    for (const { reject } of this.#questions.values()) reject(error);
    this.#questions.clear();
  }
}
