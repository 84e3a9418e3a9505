/**
 * One connection to a broker: sends requests, matches answers, and fails everything that is pending when it ends.
 * Owns its link. Trusts the broker no further than its user id: every answer is decoded and compared with its request.
 */
import { onAbort } from '../base/abort.js';
import { abortedError, reworded, SealaneError } from '../base/errors.js';
import { MAX_MESSAGE_BYTES, MAX_PACKET_BYTES } from '../base/limits.js';
import { Link } from '../link/index.js';
import { closeDescriptor, disposeDescriptors, OwnedDescriptor } from '../os/descriptor.js';
import type { UnixSocket } from '../os/unix-socket.js';
import {
  type BrokerLimits,
  decodeResponse,
  encodeRequest,
  PROTOCOL_VERSION,
  type Request,
  type Response,
  responseDescriptors,
  statusToCode,
} from '../wire/index.js';

/** A request without its number, which the connection gives. */
export type Question = Request extends infer R ? (R extends Request ? Omit<R, 'requestId'> : never) : never;

/** An answer that is no error. */
export type Answer = Exclude<Response, { type: 'error' }>;

/** The answer to a question of one type. */
export type AnswerTo<T extends Answer['type']> = Answer extends infer A
  ? A extends Answer
    ? T extends A['type']
      ? A
      : never
    : never
  : never;

/** An answer and the descriptor that came with it, which the receiver of this object owns. */
export interface Reply<T extends Answer['type'] = Answer['type']> {
  readonly answer: AnswerTo<T>;
  readonly descriptor: number | undefined;
}

interface Pending {
  readonly type: Question['type'];
  /** Waits for others at the broker, perhaps forever: it does not count against the broker's limit of unanswered requests. */
  readonly parked: boolean;
  resolve(reply: Reply): void;
  reject(error: SealaneError): void;
  /** Takes the listener off the caller's signal, which may outlive this request by far. */
  forget?(): void;
}

/** Answers taken in one turn of the event loop: enough to keep up, few enough to let timers run. */
const MESSAGES_PER_TURN = 64;

export class Connection {
  readonly #link: Link;
  readonly #pending = new Map<number, Pending>();
  /** Watches that live: their numbers may not be used for other requests. */
  readonly #watches = new Set<number>();
  readonly #waiting = new Set<() => void>();
  #nextRequestId = 1;
  #maxOutstanding = 1;
  /** Pending requests that are not parked. */
  #outstanding = 0;
  #failure: SealaneError | undefined;
  #limits: BrokerLimits | undefined;
  #onFailure: ((reason: SealaneError) => void) | undefined;

  private constructor(socket: UnixSocket) {
    this.#link = new Link(socket, {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      messagesPerTurn: MESSAGES_PER_TURN,
      onMessage: (message, descriptors) => this.#onMessage(message, descriptors),
      onClose: (error) => this.#fail(connectionLost(error)),
    });
    this.#link.unref();
  }

  /** Takes a connected socket and greets the broker. Throws what the broker answers, or ERR_SEALANE_CONNECTION_LOST. */
  static async greet(
    socket: UnixSocket,
    jobId: string | undefined,
    signal: AbortSignal,
  ): Promise<Connection> {
    const connection = new Connection(socket);
    try {
      const hello = { type: 'hello' as const, minVersion: PROTOCOL_VERSION, maxVersion: PROTOCOL_VERSION };
      const sizes = { maxPacketBytes: MAX_PACKET_BYTES, maxMessageBytes: MAX_MESSAGE_BYTES };
      const job = jobId === undefined ? {} : { jobId };
      const { answer } = await connection.ask({ ...hello, ...sizes, ...job }, undefined, signal);
      connection.#limits = answer.limits;
      connection.#link.limitPackets(answer.limits.maxPacketBytes);
      connection.#maxOutstanding = Math.max(1, answer.limits.maxOutstanding);
      return connection;
    } catch (error) {
      connection.close(toFailure(error));
      throw error;
    }
  }

  /** What the broker said of its limits in the greeting. */
  get limits(): BrokerLimits {
    if (this.#limits === undefined)
      throw new SealaneError('ERR_SEALANE_INTERNAL', 'limits are known after the greeting');
    return this.#limits;
  }

  /** How many watches the broker keeps for this connection. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Why the connection can't be used any more; undefined while it can. */
  get failure(): SealaneError | undefined {
    return this.#failure;
  }

  /** Has `callback` called once the connection can't be used any more: at once, if that is so already. Must not throw. */
  onFailure(callback: (reason: SealaneError) => void): void {
    this.#onFailure = callback;
    if (this.#failure !== undefined) callback(this.#failure);
  }

  /**
   * Asks, and resolves with the answer. `descriptor` is borrowed until this returns: it is sent or
   * duplicated by then.
   * When `signal` fires the promise is rejected at once with ERR_SEALANE_ABORTED; a late answer is thrown away and its
   * descriptor closed; a wait at the broker is cancelled.
   */
  async ask<Q extends Question>(
    question: Q,
    descriptor?: number,
    signal?: AbortSignal,
  ): Promise<Reply<Q['type']>> {
    if (this.#full && !isParked(question)) return await this.#askLater(question, descriptor, signal);
    if (this.#failure !== undefined) throw this.#failure;
    throwIfAborted(question, signal);
    try {
      return (await this.#askNow(question, descriptor, signal)) as Reply<Q['type']>;
    } catch (error) {
      throw fromHere(error);
    }
  }

  /** Asks when there is room, with a duplicate of the descriptor: its owner may close it, and its number be another file's by then. */
  async #askLater<Q extends Question>(
    question: Q,
    descriptor: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Reply<Q['type']>> {
    using held = descriptor === undefined ? undefined : OwnedDescriptor.duplicate(descriptor);
    while (this.#full) await this.#room(question, signal);
    return await this.ask(question, held?.fd, signal);
  }

  get #full(): boolean {
    return this.#outstanding >= this.#maxOutstanding && this.#failure === undefined;
  }

  /** Gives up everything that is pending with `reason` and closes. Idempotent. */
  close(reason: SealaneError): void {
    this.#fail(reason);
    this.#link.close();
  }

  #askNow(question: Question, descriptor?: number, signal?: AbortSignal): Promise<Reply> {
    const requestId = this.#takeRequestId();
    if (question.type === 'cancel') this.#watches.delete(question.target);
    const message = encodeRequest({ ...question, requestId } as Request);
    return new Promise((resolve, reject) => {
      const pending: Pending = { type: question.type, parked: isParked(question), resolve, reject };
      if (!pending.parked) this.#outstanding++;
      this.#pending.set(
        requestId,
        signal === undefined ? pending : this.#abortable(requestId, pending, signal),
      );
      if (this.#pending.size === 1) this.#link.ref();
      try {
        this.#link.send(message, descriptor === undefined ? [] : [descriptor]);
      } catch (error) {
        this.#settle(requestId);
        reject(error);
      }
    });
  }

  /** The broker stops reading us at its limit of unanswered requests: wait here until an answer makes room. */
  async #room(question: Question, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(question, signal);
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        forget?.();
        resolve();
      };
      this.#waiting.add(wake);
      const forget = signal === undefined ? undefined : onAbort(signal, wake);
    });
    throwIfAborted(question, signal);
  }

  /** Wraps a pending request so that the signal rejects it, and what comes later is thrown away. */
  #abortable(requestId: number, pending: Pending, signal: AbortSignal): Pending {
    const giveUp = () => {
      this.#pending.set(requestId, { ...pending, resolve: discard, reject: () => {} });
      if (pending.type === 'get' && pending.parked)
        this.ask({ type: 'cancel', target: requestId }).catch(() => {});
      pending.reject(abortedError(`the request ${pending.type}`, signal));
    };
    return { ...pending, forget: onAbort(signal, giveUp) };
  }

  #takeRequestId(): number {
    while (this.#pending.has(this.#nextRequestId) || this.#watches.has(this.#nextRequestId)) this.#advance();
    const requestId = this.#nextRequestId;
    this.#advance();
    return requestId;
  }

  #advance(): void {
    this.#nextRequestId = this.#nextRequestId === 0xffff_ffff ? 1 : this.#nextRequestId + 1;
  }

  #settle(requestId: number): Pending | undefined {
    const pending = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    pending?.forget?.();
    if (pending?.parked === false) this.#outstanding--;
    if (this.#pending.size === 0) this.#link.unref();
    const [first] = this.#waiting;
    first?.();
    return pending;
  }

  #onMessage(message: Uint8Array, descriptors: number[]): void {
    try {
      this.#dispatch(decodeResponse(message), descriptors);
    } catch (error) {
      this.#link.close(toFailure(error));
    } finally {
      disposeDescriptors(descriptors);
    }
  }

  /** Takes the one descriptor that an answer may carry out of the array; whatever stays in it is surplus. */
  #dispatch(response: Response, descriptors: number[]): void {
    const expected = this.#pending.get(response.requestId)?.type;
    const asked = response.type === 'error' ? response.request : response.type;
    if (expected !== asked)
      throw protocolError(`the broker answered ${asked} where ${expected ?? 'nothing'} was asked`);
    if (descriptors.length > responseDescriptors(response.type))
      throw protocolError('the broker sent surplus descriptors');
    const pending = this.#settle(response.requestId);
    if (response.type === 'watch') this.#watches.add(response.requestId);
    if (response.type === 'error') pending?.reject(refusal(response));
    else pending?.resolve({ answer: response, descriptor: descriptors.pop() });
  }

  #fail(reason: SealaneError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) {
      request.forget?.();
      request.reject(reason);
    }
    for (const wake of [...this.#waiting]) wake();
    this.#onFailure?.(reason);
  }
}

/** The same error with the stack of whoever asked: the original was made where the answer came in, which tells nothing. */
function fromHere(error: unknown): unknown {
  return error instanceof SealaneError ? reworded(error, error.message) : error;
}

function isParked(question: Question): boolean {
  return question.type === 'next' || (question.type === 'get' && question.wait);
}

function throwIfAborted(question: Question, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(`the request ${question.type}`, signal);
}

/** What becomes of an answer that nobody waits for any more. */
function discard(reply: Reply): void {
  if (reply.descriptor !== undefined) closeDescriptor(reply.descriptor);
}

function refusal(response: Extract<Response, { type: 'error' }>): SealaneError {
  return new SealaneError(
    statusToCode(response.status),
    `the broker refused ${response.request}: ${response.text}`,
  );
}

function protocolError(message: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', message);
}

/** An answer that can't be taken: the peer's fault when it is an error of ours, else a bug. */
function toFailure(error: unknown): SealaneError {
  if (error instanceof SealaneError) return error;
  return new SealaneError('ERR_SEALANE_INTERNAL', `an answer could not be dealt with: ${error}`, {
    cause: error,
  });
}

function connectionLost(cause: SealaneError | undefined): SealaneError {
  const because = cause === undefined ? 'the broker closed it or died' : cause.message;
  const hint = 'call reconnect() once the broker is back';
  return new SealaneError(
    'ERR_SEALANE_CONNECTION_LOST',
    `the connection to the broker is lost: ${because}; ${hint}`,
    {
      cause,
    },
  );
}
