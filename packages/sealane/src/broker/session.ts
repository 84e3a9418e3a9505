/**
 * One connection: its hello, its unanswered requests and watches, how it is read, answered and ended.
 * Owns the link and everything that waits for this client; all of it ends with the connection.
 * Trusts the peer's credentials, which the kernel states, and nothing that the peer sends.
 */
import { isSealaneError, SealaneError } from '../base/errors.js';
import { Link } from '../link/index.js';
import { disposeDescriptors } from '../os/descriptor.js';
import { Peer } from '../os/peer.js';
import type { UnixSocket } from '../os/unix-socket.js';
import {
  decodeHeader,
  decodeRequest,
  encodeRefusal,
  encodeResponse,
  type HelloRequest,
  PROTOCOL_VERSION,
  type Request,
  type Response,
} from '../wire/index.js';
import type { Rights } from './access.js';
import { toAnswer } from './answers.js';
import { Attention } from './attention.js';
import { resultOf, Trail } from './audit/index.js';
import { NO_RIGHTS } from './authority.js';
import type { Backlog } from './backlog.js';
import { DigestLane } from './digests.js';
import { dispatch, type Greeted } from './dispatch.js';
import { checkHello } from './hello.js';
import { Mailbox } from './mailbox.js';
import { Outstanding, type Pending, type Ticket } from './outstanding.js';
import type { Services } from './services.js';
import { endWatch, type OpenWatch } from './watching.js';
import { WorkLane } from './work.js';

/** Messages that are read at once where a connection takes no turns: what is thrown away when it ends. */
const MESSAGES_PER_TURN = 16;

/** How long a connection that is refused may take to ask, in milliseconds. It takes a place in a small lobby. */
const REFUSAL_MS = 1_000;

/**
 * How long a connection that was told why it ends may take to end itself, in milliseconds. Closing while it still sends would
 * reset it, and it could lose the answer; what it sends is thrown away.
 */
const ENDING_MS = 200;

/** Not yet greeted, greeted, waiting to hear why it is refused, told so and only waiting for its end, gone. */
type State = 'new' | 'open' | 'refused' | 'ending' | 'closed';

export class Session {
  readonly uid: number;
  readonly shelf: number;
  /** The job that the client said it acts for. */
  job: string | undefined;
  rights: Rights = NO_RIGHTS;
  readonly #peer: Peer;
  readonly lane: DigestLane;
  /** What this client still has to be told. */
  readonly mailbox: Mailbox;
  /** Its turns at sending and receiving. */
  readonly attention: Attention;
  readonly watches = new Map<number, OpenWatch>();
  readonly outstanding: Outstanding;
  /** Largest message that the client and the broker both take, in bytes. */
  maxAnswerBytes: number;
  readonly #link: Link;
  readonly #backlog: Backlog = { bytes: 0, descriptors: 0 };
  readonly #refusal: SealaneError | undefined;
  /** What the audit has to know of unanswered requests. */
  readonly #trail: Trail | undefined;
  readonly #leaveAudit: (() => void) | undefined;
  /** Why it ends, though it was admitted. */
  #dismissal: unknown;
  /** It was dismissed before it said hello. */
  #awaitsHello = false;
  #state: State = 'new';
  #deadline: NodeJS.Timeout | undefined;
  #paused = false;

  /**
   * Takes the socket. With `refusal`, the connection lives only to hear it in answer to its hello.
   * `onClosed` is called once, when the connection is gone.
   */
  constructor(
    readonly services: Services,
    socket: UnixSocket,
    refusal: SealaneError | undefined,
    private readonly onClosed: (session: Session) => void,
  ) {
    const { settings } = services;
    this.#peer = new Peer(socket);
    this.uid = socket.peer.uid;
    this.shelf = services.authority.shelfOf(this.uid);
    this.lane = new DigestLane(this.uid);
    const lane = new WorkLane(this.uid, socket.peer.pid);
    this.mailbox = new Mailbox(this.shelf, lane, services.work, settings.maxWatchBacklog);
    this.attention = new Attention(socket.peer, services.work, () => this.#link);
    this.outstanding = new Outstanding(settings.maxOutstanding);
    this.maxAnswerBytes = settings.maxMessageBytes;
    this.#refusal = refusal;
    this.#trail = services.audit && new Trail(services.audit, socket.peer);
    this.#leaveAudit = services.audit?.onChange(() => this.#regulate());
    if (refusal !== undefined) this.#state = 'refused';
    this.#link = new Link(socket, {
      maxMessageBytes: settings.maxMessageBytes,
      messagesPerTurn: MESSAGES_PER_TURN,
      bare: refusal !== undefined,
      onMessage: (message, descriptors, lost) => this.#onMessage(message, descriptors, lost),
      flight: services.flights.enter(socket.peer),
      onReady: () => this.attention.ask(),
      onDrained: () => this.#onDrained(),
      onClose: (error) => this.#onClose(error),
    });
    this.#closeAfter(refusal === undefined ? settings.helloTimeoutMs : REFUSAL_MS);
  }

  /** Keeps a request unanswered, until {@link reply} or {@link fail}. */
  pend(pending: Pending): void {
    this.outstanding.add(pending);
  }

  /** Answers a request. Borrows the descriptor. What can't be sent becomes an error answer. */
  reply(response: Response, descriptor?: number): void {
    this.tryReply(response, descriptor);
  }

  /** As {@link reply}; false: it became an error answer. */
  tryReply(response: Response, descriptor?: number): boolean {
    if (this.#state === 'closed') return true;
    const sent = this.#trySend(response, descriptor);
    this.#regulate();
    return sent;
  }

  #trySend(response: Response, descriptor: number | undefined): boolean {
    this.outstanding.settle(response.requestId);
    try {
      const message = encodeResponse(response);
      if (message.length > this.maxAnswerBytes) throw answerTooLarge(message.length, this.maxAnswerBytes);
      this.#send(message, descriptor === undefined ? [] : [descriptor]);
      this.#trail?.answered(response);
      return true;
    } catch (error) {
      const type = response.type === 'error' ? response.request : response.type;
      this.fail({ requestId: response.requestId, type }, error, response);
      return false;
    }
  }

  /**
   * Answers a request with an error, whatever that is. The connection lives on. `answer`: what it can't be answered, although it
   * was done.
   */
  fail(ticket: Ticket, error: unknown, answer?: Response): void {
    const { status, text } = toAnswer(error);
    this.#trail?.failed(ticket.requestId, error, text, answer);
    if (this.#state === 'closed') return;
    this.outstanding.settle(ticket.requestId);
    const response: Response = {
      type: 'error',
      requestId: ticket.requestId,
      request: ticket.type,
      status,
      text,
    };
    this.#sendLast(encodeResponse(response));
    this.#regulate();
  }

  /** Tells the client that the broker ends, and closes. */
  stop(): void {
    this.#end(new SealaneError('ERR_SEALANE_CLOSED', 'the broker is stopping'));
  }

  /** Asks the authority anew, which has changed. Who is not admitted any more, or not under this job, is told so, and closed. */
  reauthorize(): void {
    if (this.#state !== 'new' && this.#state !== 'open') return;
    const { authority } = this.services;
    try {
      const refusal = authority.refusal(this.#peer);
      if (refusal !== undefined) throw refusal;
      if (this.#state === 'open') this.rights = authority.rights(this.#peer, this.job);
    } catch (error) {
      this.#dismiss(error);
      return;
    }
    this.mailbox.lookAgain();
  }

  /** Ends the connection for a reason that every request hears which is unanswered, or comes before its client knows. */
  #dismiss(error: unknown): void {
    this.#trail?.refused('connect', error);
    this.#giveUp(error);
    if (this.#state === 'closed') return;
    // Who has not said hello yet may take the time for it, and hears the reason then.
    this.#awaitsHello = this.#state === 'new';
    if (!this.#awaitsHello) this.#closeAfter(ENDING_MS);
    this.#state = 'ending';
    this.#dismissal = error;
    this.#link.resume();
  }

  /** What a client that does not read does not hear would only pile up. */
  #answerDismissed(message: Uint8Array): void {
    if (this.#dismissal === undefined || this.#link.queued >= this.outstanding.max) return;
    const { status, text } = toAnswer(this.#dismissal);
    try {
      this.#sendLast(encodeRefusal(decodeHeader(message), status, text));
      if (this.#awaitsHello) this.#closeAfter(ENDING_MS);
      this.#awaitsHello = false;
    } catch {
      // Not even a header: there is nothing to answer.
    }
  }

  #end(error: unknown): void {
    this.#giveUp(error);
    if (this.#state !== 'closed') this.#state = 'ending';
    this.#link.end();
  }

  #onMessage(message: Uint8Array, descriptors: number[], lost: boolean): void {
    this.attention.spendOnDescriptors(descriptors.length);
    if (this.#state === 'ending') {
      disposeDescriptors(descriptors);
      this.#answerDismissed(message);
      return;
    }
    let request: Request;
    try {
      request = this.#read(message, descriptors.length);
    } catch (error) {
      disposeDescriptors(descriptors);
      this.#refuse(message, error);
      return;
    }
    if (request.type === 'hello') this.#open(request);
    else this.#handle(request, descriptors, lost);
    this.#regulate();
  }

  #handle(request: Greeted, descriptors: number[], lost: boolean): void {
    this.#trail?.begin(request);
    dispatch(this, request, descriptors, lost);
    this.#trail?.end();
  }

  /** Decodes a message. Throws what refuses the connection: the refusal, or something that the protocol does not allow. */
  #read(message: Uint8Array, descriptorCount: number): Request {
    if (this.#refusal !== undefined) throw this.#refusal;
    const max = this.services.settings.maxMessageBytes;
    if (message.length > max)
      throw protocolError(
        `a message has ${message.length} bytes; at most ${max} are allowed (maxMessageBytes)`,
      );
    const request = decodeRequest(message);
    if (this.#state === 'new' && request.type !== 'hello')
      throw protocolError(`the first message is ${request.type}; it must be hello`);
    if (this.#state === 'open' && request.type === 'hello') throw protocolError('a second hello came');
    if (this.outstanding.get(request.requestId) !== undefined || this.watches.has(request.requestId)) {
      throw protocolError(
        `requestId ${request.requestId} is that of an unanswered request or a living watch`,
      );
    }
    if (request.type === 'hello') {
      if (this.#trail !== undefined) this.#trail.job = request.jobId;
      checkHello(request, descriptorCount);
      this.rights = this.services.authority.rights(this.#peer, request.jobId);
    }
    return request;
  }

  #open(request: HelloRequest): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    this.#state = 'open';
    this.job = request.jobId;
    this.maxAnswerBytes = Math.min(request.maxMessageBytes, this.services.settings.maxMessageBytes);
    this.#link.limitPackets(request.maxPacketBytes);
    const { limits } = this.services;
    const { requestId } = request;
    this.reply({ type: 'hello', requestId, version: PROTOCOL_VERSION, brokerPid: process.pid, limits });
  }

  /** Answers the message that ends the connection, if its header can be read, and hears nothing more. */
  #refuse(message: Uint8Array, error: unknown): void {
    if (error !== this.#refusal) this.#noteRefusal(error);
    this.#state = 'ending';
    this.#giveUp(
      new SealaneError(
        'ERR_SEALANE_CLOSED',
        'the connection sent something that the protocol does not allow',
      ),
    );
    try {
      const { status, text } = toAnswer(error);
      this.#sendLast(encodeRefusal(decodeHeader(message), status, text));
    } catch {
      this.#link.end();
      return;
    }
    this.#closeAfter(ENDING_MS);
  }

  /** What can't be read may have been anything; a hello that can be asks for a connection. */
  #noteRefusal(error: unknown): void {
    const unreadable = isSealaneError(error, 'ERR_SEALANE_PROTOCOL');
    this.#trail?.refused(this.#state === 'new' && !unreadable ? 'connect' : 'unknown', error);
  }

  #send(message: Uint8Array, descriptors: readonly number[]): void {
    this.#link.send(message, descriptors);
    this.attention.spendOnDescriptors(descriptors.length);
    this.services.backlogs.note(this.#backlog, this.#link.queued, message.length, descriptors.length);
  }

  /** Sends an error answer; where not even that can be sent, the connection is closed: its client must not wait for ever. */
  #sendLast(message: Uint8Array): void {
    try {
      this.#send(message, []);
    } catch {
      this.#link.close();
    }
  }

  /**
   * Reads on, or not: no further while `maxOutstanding` answers are due or wait to be read, or too much waits, or the audit can take
   * nothing. What is parked alone never stops the reading, because the request that ends it could not be read then.
   */
  #regulate(): void {
    if (this.#state !== 'open') return;
    const { queued } = this.#link;
    const due = this.outstanding.busy + queued;
    const full = due > 0 && this.outstanding.size + queued >= this.outstanding.max;
    const { audit, backlogs } = this.services;
    const pause = full || backlogs.isOver(this.#backlog) || audit?.blocked === true;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#link.pause();
    else this.#link.resume();
  }

  /** Only when what has come by then has been read: a broker that was held up must not blame its clients. */
  #closeAfter(milliseconds: number): void {
    clearTimeout(this.#deadline);
    const close = (): void => {
      if (this.#deadline === deadline) this.#link.end();
    };
    const deadline = setTimeout(() => setImmediate(() => this.attention.askBehind(close)), milliseconds);
    this.#deadline = deadline;
  }

  /** Ends everything that waits for this client, and answers it. */
  #giveUp(error: unknown): void {
    for (const ticket of this.outstanding.cancelAll()) this.fail(ticket, error);
    for (const id of [...this.watches.keys()]) endWatch(this, id);
  }

  /** The client has caught up with reading. */
  #onDrained(): void {
    this.services.backlogs.clear(this.#backlog);
    this.#regulate();
  }

  #onClose(error: SealaneError | undefined): void {
    // The link itself could not read what came: it is not even a message.
    const unreadable = error !== undefined && resultOf(error) === 'bad_request';
    if (unreadable && this.#state !== 'ending') this.#trail?.refused('unknown', error);
    this.#state = 'closed';
    this.#leaveAudit?.();
    clearTimeout(this.#deadline);
    this.#giveUp(new SealaneError('ERR_SEALANE_CLOSED', 'the connection is closed'));
    this.services.backlogs.clear(this.#backlog);
    this.services.flights.leave(this.#link.peer);
    this.onClosed(this);
  }
}

function answerTooLarge(bytes: number, max: number): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `the answer has ${bytes} bytes, and the client and the broker agreed on at most ${max} (maxMessageBytes)`,
  );
}

function protocolError(text: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', text);
}
