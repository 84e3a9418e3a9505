/**
 * One connection: its hello, its unanswered requests, its watches, and how it is read and ended.
 * Owns the link and everything that waits for this client; all of it ends with the connection.
 * Trusts the peer's credentials, which the kernel states, and nothing that the peer sends.
 */
import { SealaneError } from '../base/errors.js';
import { MAX_PACKET_BYTES } from '../base/limits.js';
import { Link, type LinkOptions } from '../link/index.js';
import { closeDescriptor } from '../os/descriptor.js';
import type { UnixSocket } from '../os/unix-socket.js';
import {
  codeToStatus,
  decodeHeader,
  decodeRequest,
  encodeRefusal,
  encodeResponse,
  type HelloRequest,
  PROTOCOL_VERSION,
  type Request,
  type RequestType,
  type Response,
  STATUS,
} from '../wire/index.js';
import type { Caller } from './access.js';
import type { Backlog, Stalled } from './backlog.js';
import { DigestLane } from './digests.js';
import { dispatch } from './dispatch.js';
import { limitsOf } from './options.js';
import type { Services } from './services.js';
import type { Watch } from './waiters.js';

/** What names a request in its answer. Kept instead of the request, which may have a long name. */
export interface Ticket {
  readonly requestId: number;
  readonly type: RequestType;
}

/** An unanswered request. */
export interface Pending {
  /** Waits for others, perhaps forever; the rest is answered by and by. */
  readonly parked: boolean;
  /** Gives up: releases what the request holds, and nobody answers it. Absent: it can't be given up any more. */
  readonly cancel?: () => void;
}

/** Messages of one connection in one turn of the event loop: some 0.2 ms of work. */
const MESSAGES_PER_TURN = 16;

/** How long a refused connection may take to ask and to read the answer, in milliseconds. It holds a place in a small lobby. */
const REFUSAL_MS = 1_000;

export class Session implements Stalled {
  readonly caller: Caller;
  readonly lane: DigestLane;
  readonly watches = new Map<number, Watch>();
  readonly #link: Link;
  readonly #linkOptions: LinkOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #backlog: Backlog = { bytes: 0, descriptors: 0 };
  #parked = 0;
  #job: string | undefined;
  #state: 'hello' | 'open' | 'refused' | 'ending' | 'closed' = 'hello';
  #refusal: SealaneError | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #maxAnswerBytes: number;
  #paused = false;

  /**
   * Takes the socket. With `refusal`, the connection only lives to hear it as the answer to its hello.
   * `onClosed` is called once, when the connection is gone.
   */
  constructor(
    readonly services: Services,
    socket: UnixSocket,
    refusal: SealaneError | undefined,
    private readonly onClosed: (session: Session) => void,
  ) {
    const session = this;
    this.caller = {
      uid: socket.peer.uid,
      get job() {
        return session.#job;
      },
    };
    this.lane = new DigestLane(socket.peer.uid);
    this.#maxAnswerBytes = services.settings.maxMessageBytes;
    if (refusal !== undefined) this.#state = 'refused';
    this.#refusal = refusal;
    this.#setDeadline(refusal === undefined ? services.settings.helloTimeoutMs : REFUSAL_MS);
    this.#linkOptions = {
      maxPacketBytes: MAX_PACKET_BYTES,
      maxMessageBytes: services.settings.maxMessageBytes,
      messagesPerTurn: MESSAGES_PER_TURN,
      onMessage: (message, descriptors, lost) => this.#onMessage(message, descriptors, lost),
      onClose: () => this.#onClose(),
    };
    this.#link = new Link(socket, this.#linkOptions);
  }

  /** Largest message that the client and the broker both take, in bytes. */
  get maxAnswerBytes(): number {
    return this.#maxAnswerBytes;
  }

  /** Keeps a request unanswered until {@link reply} or {@link fail}. Throws ERR_SEALANE_LIMIT_EXCEEDED for one too many that waits. */
  pend(ticket: Ticket, pending: Pending): void {
    if (pending.parked) {
      this.checkParking();
      this.#parked++;
    }
    this.#pending.set(ticket.requestId, pending);
  }

  /** Throws ERR_SEALANE_LIMIT_EXCEEDED when no further request may wait for others. */
  checkParking(): void {
    const { maxOutstanding } = this.services.settings;
    if (this.#parked < maxOutstanding) return;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${maxOutstanding} requests of this connection wait already, the limit maxOutstanding; cancel some, or use another connection`,
    );
  }

  /** Answers a request. Borrows the descriptor. An answer that can't be sent becomes an error answer. */
  reply(ticket: Ticket, response: Response, descriptor?: number): void {
    if (this.#state === 'closed') return;
    this.#settle(ticket.requestId);
    try {
      const message = encodeResponse(response);
      if (message.length > this.#maxAnswerBytes) throw this.#answerTooLarge(message.length);
      this.#send(message, descriptor === undefined ? [] : [descriptor]);
    } catch (error) {
      this.fail(ticket, error);
    }
    this.#regulate();
  }

  /** Answers a request with an error. Whatever it is, the connection lives on. */
  fail(ticket: Ticket, error: unknown): void {
    if (this.#state === 'closed') return;
    this.#settle(ticket.requestId);
    const { requestId, type: request } = ticket;
    this.#send(encodeResponse({ type: 'error', requestId, request, ...toAnswer(error) }), []);
    this.#regulate();
  }

  /** Gives up what `requestId` names, if it is still unanswered, and answers it as canceled. */
  cancel(ticket: Ticket): void {
    const pending = this.#pending.get(ticket.requestId);
    if (pending?.cancel === undefined) return;
    pending.cancel();
    this.fail(ticket, canceled());
  }

  /** The types of unanswered requests are not kept; what can be cancelled knows itself. */
  hasPending(requestId: number): boolean {
    return this.#pending.has(requestId);
  }

  recover(): boolean {
    if (this.#link.queued === 0) this.services.backlogs.clear(this.#backlog);
    this.#regulate();
    return !this.#paused;
  }

  /** Tells the client that the broker ends, and closes. */
  stop(): void {
    for (const [requestId, pending] of [...this.#pending]) {
      pending.cancel?.();
      this.#settle(requestId);
    }
    this.#link.end();
    this.#link.close();
  }

  #onMessage(message: Uint8Array, descriptors: number[], lost: boolean): void {
    if (this.#state === 'ending' || this.#state === 'closed') return closeAll(descriptors);
    let request: Request;
    try {
      request = this.#decode(message);
    } catch (error) {
      closeAll(descriptors);
      this.#refuse(message, error);
      return;
    }
    if (request.type === 'hello') {
      closeAll(descriptors);
      this.#answerHello(request);
      return;
    }
    this.services.store.sweep();
    dispatch(this, request, descriptors, lost);
    this.#regulate();
  }
}
