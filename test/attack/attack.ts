// What an attack is, and what an attacker has at hand: connections that may send anything, and a record of what came back.
import { type BrokerOptions, isSealaneError } from 'sealane';
import {
  closeDescriptor,
  decodeHeader,
  encodeRequest,
  RESPONSE_BIT,
  type Request,
  type SocketKind,
  STATUS,
  UnixSocket,
  Watcher,
} from 'sealane/internal';

/**
 * Who attacks: `own`: the broker's user; `admitted`: another user whom the broker admits; `stranger`: one whom it does not.
 */
export type Role = 'own' | 'admitted' | 'stranger';

/** The users of a run. */
export type Users = Readonly<Record<Role, number>>;

/** Options of a broker; where it listens, the suite decides. */
export type ChosenOptions = Omit<BrokerOptions, 'socket' | 'memfdbusSocket' | 'audit'>;

export interface Attack {
  readonly name: string;
  /** A sentence for the table and the documentation. */
  readonly what: string;
  readonly roles: readonly Role[];
  /**
   * Everything that may come back, each at least once: the name of a status, `ok`, `closed` (the connection ended without an answer), or
   * the name of an errno.
   */
  readonly expected: readonly string[];
  /** What may come back besides, depending on the machine's speed. */
  readonly possible?: readonly string[];
  /** Options of the broker beside the suite's. Attacks with the same options share a broker. */
  readonly broker?: (users: Users) => ChosenOptions;
  /** Attacking processes. Default: 1. */
  readonly processes?: number;
  /** The job under which well-behaved client and attacker act. */
  readonly victimJob?: string;
  /** Why it can't be made on this machine. */
  readonly hindrance?: () => string | undefined;
  /** Attempts something, once; called over and over until the attack ends. */
  readonly round: (kit: Kit) => Promise<void> | void;
}

/** A request without its number. */
export type Call = Request extends infer Each
  ? Each extends Request
    ? Omit<Each, 'requestId'>
    : never
  : never;

/** Thrown out of a round when the attack ends. */
export class Stopped extends Error {}

const STATUS_NAMES = new Map<number, string>(Object.entries(STATUS).map(([name, number]) => [number, name]));

/** What an attacking process owns and counts. */
export class Kit {
  readonly connections = new Set<{ close(): void }>();
  readonly outcomes = new Map<string, number>();
  attempts = 0;
  /** How often the round was begun, for those that go through a list. */
  turn = 0;
  stopping = false;
  readonly #state = new Map<string, unknown>();

  constructor(
    readonly socket: string,
    readonly memfdbusSocket: string,
  ) {}

  saw(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  /** Something that is made once and kept over the rounds. */
  keep<T>(name: string, make: () => T): T {
    if (!this.#state.has(name)) this.#state.set(name, make());
    return this.#state.get(name) as T;
  }

  /** Connects; waits while the backlog is full. What hinders it is recorded. */
  async connect(): Promise<Connection | undefined> {
    const socket = await this.connectTo(this.socket, 'packet');
    return socket && new Connection(this, socket);
  }

  async connectTo(path: string, kind: SocketKind): Promise<UnixSocket | undefined> {
    for (;;) {
      if (this.stopping) throw new Stopped();
      this.attempts++;
      try {
        const socket = UnixSocket.connect(path, kind);
        if (socket !== undefined) return socket;
      } catch (error) {
        this.saw(errnoOf(error));
        await this.pause();
        return undefined;
      }
      await this.pause();
    }
  }

  /** Connected and greeted, or undefined, and recorded why. */
  async open(jobId?: string): Promise<Connection | undefined> {
    const connection = await this.connect();
    if (connection === undefined) return undefined;
    const outcome = await connection.call(hello(jobId));
    if (outcome === 'ok') return connection;
    this.saw(outcome);
    connection.close();
    return undefined;
  }

  /** A connection that is kept over the rounds and opened anew when the broker has ended it. */
  async held(name = 'held', jobId?: string): Promise<Connection | undefined> {
    const state = this.keep<{ connection: Connection | undefined }>(name, () => ({ connection: undefined }));
    if (state.connection === undefined || state.connection.ended) {
      state.connection?.close();
      state.connection = await this.open(jobId);
    }
    return state.connection;
  }

  /** Lets the event loop turn. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.stopping) throw new Stopped();
  }

  /** Ends: everything that waits fails. */
  stop(): void {
    this.stopping = true;
    for (const connection of [...this.connections]) connection.close();
  }
}

/** One connection of an attacker: sends anything, and counts or returns what comes back. Closes the descriptors that come. */
export class Connection {
  ended = false;
  /** Answers that have not come yet. */
  due = 0;
  readonly #watcher: Watcher;
  readonly #buffer: Uint8Array;
  #wake: (() => void) | undefined;
  #lastId = 0;
  #closed = false;

  constructor(
    private readonly kit: Kit,
    readonly socket: UnixSocket,
  ) {
    this.#buffer = kit.keep('buffer', () => new Uint8Array(65_536));
    this.#watcher = new Watcher(socket.fd, () => this.#onReady());
    kit.connections.add(this);
  }

  /** Sends a packet as it is. `lost`: the connection is gone. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): 'sent' | 'full' | 'in-flight' | 'lost' {
    if (this.#closed) return 'lost';
    try {
      return this.socket.send(bytes, descriptors);
    } catch (error) {
      if (isSealaneError(error, 'ERR_SEALANE_CONNECTION_LOST')) return 'lost';
      throw error;
    }
  }

  /** Sends until it is taken or the connection is gone. */
  async push(bytes: Uint8Array, descriptors: readonly number[] = []): Promise<void> {
    this.kit.attempts++;
    for (;;) {
      const sent = this.send(bytes, descriptors);
      if (sent === 'sent' || sent === 'lost') return;
      await this.#ready(sent === 'full');
    }
  }

  encode(call: Call): Uint8Array {
    this.#lastId = (this.#lastId % 0xffff_0000) + 1;
    return encodeRequest({ ...call, requestId: this.#lastId } as Request);
  }

  /** Sends a request and returns what comes next. */
  async call(call: Call, descriptors: readonly number[] = []): Promise<string> {
    await this.push(this.encode(call), descriptors);
    return this.receive();
  }

  /** Sends a request and records what comes next. */
  async provoke(call: Call, descriptors: readonly number[] = []): Promise<void> {
    this.kit.saw(await this.call(call, descriptors));
  }

  /** Sends a packet as it is and records what comes next. */
  async provokeBytes(bytes: Uint8Array, descriptors: readonly number[] = []): Promise<void> {
    await this.push(bytes, descriptors);
    this.kit.saw(await this.receive());
  }

  /** What comes next. */
  async receive(): Promise<string> {
    for (;;) {
      const outcome = this.take();
      if (outcome !== undefined) return outcome;
      await this.#ready(false);
    }
  }

  /** What is there already; undefined: nothing. */
  take(): string | undefined {
    if (this.#closed) throw new Stopped();
    const packet = this.socket.receive(this.#buffer);
    if (packet === 'empty') return undefined;
    if (packet === 'end') {
      this.ended = true;
      return 'closed';
    }
    for (const descriptor of packet.descriptors) closeDescriptor(descriptor);
    return statusName(this.#buffer.subarray(0, packet.bytes));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.ended = true;
    this.kit.connections.delete(this);
    this.#watcher.close();
    this.socket.close();
    this.#wake?.();
  }

  /** Until something can be read, or written too. */
  async #ready(writing: boolean): Promise<void> {
    if (this.#closed) throw new Stopped();
    this.#watcher.want(true, writing);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#closed) throw new Stopped();
  }

  #onReady(): void {
    this.#watcher.want(false, false);
    this.#wake?.();
  }
}

/** The status of an answer in words. */
export function statusName(answer: Uint8Array): string {
  const { status, type } = decodeHeader(answer);
  return (type & RESPONSE_BIT) === 0 ? 'a request' : (STATUS_NAMES.get(status) ?? `status ${status}`);
}

export function hello(jobId?: string): Call {
  const limits = { maxPacketBytes: 65_536, maxMessageBytes: 1_048_576 };
  const job = jobId === undefined ? {} : { jobId };
  return { type: 'hello', minVersion: 1, maxVersion: 1, ...limits, ...job };
}

export function put(
  name: string | undefined,
  size: number,
  fields: Partial<Extract<Call, { type: 'put' }>> = {},
): Call {
  const named = name === undefined ? {} : { name };
  return { type: 'put', size, contentAddressed: false, allowed: [], metadata: {}, ...named, ...fields };
}

export function getByName(name: string, wait = false): Call {
  return { type: 'get', selector: { by: 'name', name }, wait };
}

export function watchFor(pattern: string, every: boolean): Call {
  return { type: 'watch', pattern, literal: false, every, existing: true };
}

function errnoOf(error: unknown): string {
  if (isSealaneError(error) && error.errnoName !== undefined) return error.errnoName;
  return isSealaneError(error) ? error.code : String(error);
}
