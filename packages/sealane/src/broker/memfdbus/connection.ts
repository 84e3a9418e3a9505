/**
 * One connection of a memfdbus client: one request, one answer. Reads with a deadline, works, answers, and reads away what the client
 * still sends, because a socket that is closed with unread bytes resets the peer, which may lose the answer then.
 * Owns the socket, the request's descriptor, and what the request holds while it is worked on. Trusts the kernel's word on the
 * peer, and nothing that it sends.
 */
import { closedError } from '../../base/errors.js';
import { Peer } from '../../os/peer.js';
import type { Packet, UnixSocket } from '../../os/unix-socket.js';
import { Watcher } from '../../os/watcher.js';
import { MEMFDBUS_COMMAND } from '../../wire/index.js';
import type { Rights } from '../access.js';
import type { Services } from '../services.js';
import { type Cancel, type MemfdbusCaller, perform } from './commands.js';
import { Refusal } from './failures.js';
import type { ListHolder, ListRoom } from './list-room.js';
import { Receiver } from './receiver.js';
import { recordOf } from './record.js';
import type { MemfdbusRequest } from './request.js';
import { answerOf, answerOfRefusal, type Success } from './result.js';
import { type Answer, Sender } from './sender.js';
import type { Turns } from './turns.js';

/** Received bytes land here first. One for all connections: a piece is dealt with before the next is received. */
const receiveBuffer = new Uint8Array(65_536);

/** Pieces of one connection in one turn of the event loop: a small request takes one or two. */
const PIECES_PER_TURN = 8;

/** How long to hear a client whose header is none, or who never was asked for one, in milliseconds: it may still be sending. */
const REFUSED_MS = 1_000;

/** What came of a request whose connection ended before its answer. */
const GONE = Refusal.from(closedError('the connection'));

/** How long to wait, in milliseconds, when too many descriptors of this user are under way: nothing wakes us when they arrive. */
const IN_FLIGHT_RETRY_MS = 2;

/** How often to look whether the client is still there while its request is worked on, in milliseconds: nothing wakes us when it goes. */
const LOOK_MS = 500;

/** The request comes, is worked on, is answered, is only read to its end; gone. */
type State = 'reading' | 'working' | 'answering' | 'draining' | 'closed';

/** What the connections of one listener share. */
export interface ConnectionHost {
  readonly services: Services;
  readonly lists: ListRoom;
}

export class Connection implements ListHolder {
  readonly uid: number;
  readonly pid: number;
  readonly #watcher: Watcher;
  readonly #receiver: Receiver;
  readonly #peer: Peer;
  #request: MemfdbusRequest | undefined;
  #caller: (MemfdbusCaller & { rights: Rights }) | undefined;
  #sender: Sender | undefined;
  #state: State = 'reading';
  /** Who is refused at once may send what it likes: its descriptors are not taken. */
  #bare = false;
  #timer: NodeJS.Timeout | undefined;
  #cancel: Cancel | undefined;

  /** Takes the socket. `onClosed` is called once, when the connection is gone. Nothing happens before {@link start}. */
  constructor(
    private readonly host: ConnectionHost,
    private readonly socket: UnixSocket,
    private readonly turns: Turns,
    private readonly onClosed: (connection: Connection) => void,
  ) {
    this.#peer = new Peer(socket);
    this.uid = socket.peer.uid;
    this.pid = socket.peer.pid;
    this.#receiver = new Receiver(host.services.settings, host.services.closer);
    this.#watcher = new Watcher(socket.fd, (readable, writable) => this.#onReady(readable, writable));
  }

  /** Reads what is there already, and then what comes. With `refusal`, that is the answer whatever comes. */
  start(refusal?: Refusal): void {
    if (refusal !== undefined) {
      this.#bare = true;
      this.#answer(answerOfRefusal(this.#command, refusal));
      return;
    }
    this.#after(this.#timeoutMs, () => this.#onDeadline());
    this.#watcher.want(true, false);
    // Who has sent its request with the connection is served before later connections can make it give way.
    this.#receive();
  }

  /** Whether the broker waits for this client, not the client for the broker. */
  get unfinished(): boolean {
    return this.#state === 'reading' || this.#state === 'draining';
  }

  /** Whether the client has not taken its answer yet. */
  get unheard(): boolean {
    return this.#state === 'answering';
  }

  /** Asks the authority anew, which has changed. Who is not admitted any more, or not as this job, is told so, and closed. */
  reauthorize(): void {
    if (this.#state !== 'reading' && this.#state !== 'working') return;
    const { authority } = this.host.services;
    try {
      const refusal = authority.refusal(this.#peer);
      if (refusal !== undefined) throw refusal;
      if (this.#caller !== undefined) this.#caller.rights = authority.rights(this.#peer, this.#caller.job);
    } catch (error) {
      this.#giveUp();
      this.#conclude(Refusal.from(error));
    }
  }

  /** Gives up the request and closes, to make room for others. The client is told why, if it can take that at once. */
  evict(refusal: Refusal): void {
    this.#giveUp();
    if (this.#state === 'reading' || this.#state === 'working') this.#conclude(refusal);
    this.close();
  }

  /** Gives up the request and closes at once. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'working') this.#record(GONE);
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#giveUp();
    this.host.lists.release(this);
    this.#receiver.close();
    this.#sender?.close();
    this.#watcher.close();
    this.socket.close();
    this.onClosed(this);
  }

  #onReady(readable: boolean, writable: boolean): void {
    if (writable && this.#state === 'answering') this.#flush();
    if (readable && this.unfinished) this.#receive();
  }

  #receive(): void {
    for (let count = 0; count < PIECES_PER_TURN && this.unfinished; count++) {
      const piece = this.#receivePiece();
      if (piece === undefined) return;
      if (this.#state === 'draining') this.#receiver.skip(piece);
      else this.#read(piece);
    }
  }

  /** Undefined: there is nothing more now, or at all. */
  #receivePiece(): Packet | undefined {
    try {
      const piece = this.#bare ? this.socket.receiveBare(receiveBuffer) : this.socket.receive(receiveBuffer);
      if (piece === 'end') this.#onEnd();
      if (piece === 'descriptors') this.close();
      return typeof piece === 'string' ? undefined : piece;
    } catch {
      this.close();
      return undefined;
    }
  }

  #read(piece: Packet): void {
    try {
      if (this.#receiver.add(piece, receiveBuffer.subarray(0, piece.bytes))) this.#work();
    } catch (error) {
      this.#conclude(Refusal.from(error));
    }
  }

  /** The client sends nothing more: it is told what is missing, unless it never began. */
  #onEnd(): void {
    if (this.#state === 'draining' || !this.#receiver.greeted) this.close();
    else this.#work();
  }

  #onDeadline(): void {
    if (this.#receiver.greeted) this.#work();
    else this.close();
  }

  /** Works on what came. What is missing of it is a failure to tell. */
  #work(): void {
    this.#state = 'working';
    clearTimeout(this.#timer);
    this.#watcher.want(false, false);
    try {
      const request = this.#receiver.parse();
      this.#request = request;
      this.#caller = this.#callerOf(request);
      const descriptor = request.type === 'put' ? this.#receiver.takeDescriptor() : undefined;
      const cancel = perform(this.host.services, this.#caller, request, descriptor, {
        succeed: (success) => this.#conclude(success),
        fail: (error) => this.#conclude(Refusal.from(error)),
      });
      if (this.#state !== 'working') return;
      this.#cancel = cancel;
      this.#after(LOOK_MS, () => this.#lookForClient());
    } catch (error) {
      this.#conclude(Refusal.from(error));
    }
  }

  /** What nobody waits for any more is given up: the hashing of a large object takes long. */
  #lookForClient(): void {
    if (this.socket.peerGone) this.close();
    else this.#after(LOOK_MS, () => this.#lookForClient());
  }

  /** Throws ERR_SEALANE_ACCESS_DENIED when the client may not act as its job. */
  #callerOf({ job }: MemfdbusRequest): MemfdbusCaller {
    const { uid, turns } = this;
    const { authority } = this.host.services;
    const takeListBytes = (bytes: number): void => this.host.lists.take(this, bytes);
    const returnListBytes = (): void => this.host.lists.release(this);
    const rights = authority.rights(this.#peer, job);
    return { uid, shelf: authority.shelfOf(uid), job, rights, turns, takeListBytes, returnListBytes };
  }

  /**
   * How every request ends, once, before it is answered. Here is known who asked (`#peer`, `#caller`), for what (`#request`; without
   * one, the receiver's command), and what came of it. Takes the result's descriptor.
   */
  #conclude(result: Success | Refusal): void {
    this.#cancel = undefined;
    const answer = result instanceof Refusal ? answerOfRefusal(this.#command, result) : answerOf(result);
    if (this.#state === 'reading' || this.#state === 'working') this.#record(result);
    this.#answer(answer);
  }

  get #command(): number {
    return this.#request === undefined ? this.#receiver.command : MEMFDBUS_COMMAND[this.#request.type];
  }

  #record(result: Success | Refusal): void {
    this.host.services.audit?.record(recordOf(this.socket.peer, this.#request, this.#command, result));
  }

  /** Takes the answer. The first one counts. */
  #answer(answer: Answer): void {
    const sender = new Sender(answer);
    if (this.#state !== 'reading' && this.#state !== 'working') {
      sender.close();
      return;
    }
    clearTimeout(this.#timer);
    this.#sender = sender;
    this.#state = 'answering';
    this.#receiver.close();
    this.#flush();
  }

  #giveUp(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #flush(): void {
    if (this.#state !== 'answering' || this.#sender === undefined) return;
    let result: 'sent' | 'full' | 'in-flight';
    try {
      result = this.#sender.send(this.socket);
    } catch {
      this.close();
      return;
    }
    if (result === 'sent') {
      this.#drain();
      return;
    }
    this.#watcher.want(false, result === 'full');
    // A client that takes nothing for so long is given up.
    if (result === 'full') this.#after(this.#timeoutMs, () => this.close());
    else this.#after(IN_FLIGHT_RETRY_MS, () => this.#flush());
  }

  /** Everything is said: the client sees the end, and is heard as long as its request is not whole. */
  #drain(): void {
    this.#state = 'draining';
    this.host.lists.release(this);
    try {
      this.socket.finish();
    } catch {
      this.close();
      return;
    }
    this.#receive();
    if (this.#gone) return;
    if (this.#receiver.greeted && this.#receiver.missing === 0) {
      this.close();
      return;
    }
    this.#after(this.#receiver.greeted ? this.#timeoutMs : REFUSED_MS, () => this.close());
    this.#watcher.want(true, false);
  }

  get #gone(): boolean {
    return this.#state === 'closed';
  }

  get #timeoutMs(): number {
    return this.host.services.settings.helloTimeoutMs;
  }

  #after(milliseconds: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, milliseconds);
  }
}
