/**
 * For tests: a client that speaks the protocol packet by packet, right or wrong, and brokers that end with their test.
 * Owns its socket and every descriptor that it receives.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeDescriptor, duplicate, inspect } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { UnixSocket } from '../os/unix-socket.js';
import { Watcher } from '../os/watcher.js';
import {
  decodeHeader,
  decodeResponse,
  encodeRequest,
  isErrorStatus,
  type ObjectInfo,
  REQUEST_NAMES,
  RESPONSE_BIT,
  type Request,
  type Response,
  STATUS,
  type StatusName,
} from '../wire/index.js';
import { Broker } from './broker.js';
import type { BrokerOptions } from './options.js';

/** A request without its number. */
export type Call = Request extends infer Each
  ? Each extends Request
    ? Omit<Each, 'requestId'>
    : never
  : never;

/** An answer and the descriptors that came with it. */
export interface Answer {
  response: Response;
  descriptors: number[];
}

export class RawClient {
  readonly ended: Promise<void>;
  readonly #socket: UnixSocket;
  readonly #watcher: Watcher;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  readonly #unsent: { bytes: Uint8Array; descriptors: readonly number[] }[] = [];
  readonly #received: number[] = [];
  readonly #buffer = new Uint8Array(65_536);
  #reading = true;
  #end: () => void = () => undefined;
  #lastId = 0;
  #onPacket: (answer: Answer | undefined) => void = () => undefined;

  /** Connects to a path, or takes a connected socket. */
  constructor(to: string | UnixSocket) {
    const socket = typeof to === 'string' ? UnixSocket.connect(to) : to;
    assert(socket !== undefined, 'the backlog is full');
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#watcher = new Watcher(socket.fd, (readable, writable) => this.#onReady(readable, writable));
    this.#watcher.want(true, false);
  }

  /** Connected and greeted. */
  static async open(
    path: string,
    jobId?: string,
    limits: { maxMessageBytes?: number } = {},
  ): Promise<RawClient> {
    const client = new RawClient(path);
    const { response } = await client.hello(jobId, limits.maxMessageBytes);
    assert.equal(response.type, 'hello');
    return client;
  }

  /** The requestId of the latest request. */
  get lastId(): number {
    return this.#lastId;
  }

  hello(jobId?: string, maxMessageBytes = 1_048_576): Promise<Answer> {
    const job = jobId === undefined ? {} : { jobId };
    return this.call({
      type: 'hello',
      minVersion: 1,
      maxVersion: 1,
      maxPacketBytes: 65_536,
      maxMessageBytes,
      ...job,
    });
  }

  /** Sends a request; resolves to its answer, or fails when the connection ends before. */
  async call(call: Call, descriptors: readonly number[] = []): Promise<Answer> {
    const requestId = ++this.#lastId;
    return this.callBytes(encodeRequest({ ...call, requestId } as Request), requestId, descriptors);
  }

  async callBytes(
    bytes: Uint8Array,
    requestId: number,
    descriptors: readonly number[] = [],
  ): Promise<Answer> {
    const answer = new Promise<Answer | undefined>((resolve) => this.#waiting.set(requestId, resolve));
    this.send(bytes, descriptors);
    const result = await answer;
    assert(result !== undefined, 'the connection ended before the answer');
    return result;
  }

  /** Sends a packet as it is. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): void {
    this.#unsent.push({ bytes, descriptors });
    this.#flush();
  }

  /** Sends a packet as it is; resolves to whatever comes next, or to undefined when that is the end. */
  provoke(bytes: Uint8Array, descriptors: readonly number[] = []): Promise<Answer | undefined> {
    const next = new Promise<Answer | undefined>((resolve) => {
      this.#onPacket = resolve;
    });
    this.send(bytes, descriptors);
    return next;
  }

  /** The object of a successful answer. */
  async ask(call: Call, descriptors: readonly number[] = []): Promise<ObjectInfo> {
    const { response } = await this.call(call, descriptors);
    if (response.type === 'error')
      throw new Error(`${call.type} failed: ${response.status} ${response.text}`);
    assert('object' in response);
    return response.object;
  }

  /** Puts sealed bytes. */
  put(
    name: string | undefined,
    options: PutFields = {},
    bytes: Uint8Array = new Uint8Array(8),
  ): Promise<ObjectInfo> {
    using memfd = Memfd.sealed('test', bytes);
    return this.ask(putCall(name, bytes.length, options), [memfd.fd]);
  }

  /** Fails unless the call fails with this status; resolves to the text. */
  async refused(status: StatusName, call: Call, descriptors: readonly number[] = []): Promise<string> {
    const { response } = await this.call(call, descriptors);
    assert(response.type === 'error', `${call.type} was answered with ${response.type}`);
    assert.equal(response.status, STATUS[status], response.text);
    return response.text;
  }

  /** Stops or goes on reading answers. */
  read(reading: boolean): void {
    this.#reading = reading;
    this.#want();
  }

  close(): void {
    this.#watcher.close();
    this.#socket.close();
    for (const descriptor of this.#received.splice(0)) closeDescriptor(descriptor);
    this.#onEnd();
  }

  #onReady(readable: boolean, writable: boolean): void {
    if (readable && this.#reading) this.#receive();
    if (writable && !this.#socket.closed) this.#flush();
  }

  #receive(): void {
    while (!this.#socket.closed) {
      const packet = this.#socket.receive(this.#buffer);
      if (packet === 'empty') return;
      if (packet === 'end') {
        this.#watcher.want(false, false);
        this.#onEnd();
        return;
      }
      this.#received.push(...packet.descriptors);
      const response = decodeAnswer(this.#buffer.slice(0, packet.bytes));
      const answer = { response, descriptors: packet.descriptors };
      this.#onPacket(answer);
      this.#waiting.get(response.requestId)?.(answer);
      this.#waiting.delete(response.requestId);
    }
  }

  #onEnd(): void {
    for (const resolve of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
    this.#onPacket(undefined);
    this.#end();
  }

  #flush(): void {
    while (this.#unsent[0] !== undefined) {
      const { bytes, descriptors } = this.#unsent[0];
      if (this.#trySend(bytes, descriptors) !== 'sent') break;
      this.#unsent.shift();
    }
    this.#want();
  }

  /** A broker that closed is met at the next receive. */
  #trySend(bytes: Uint8Array, descriptors: readonly number[]): string {
    try {
      return this.#socket.send(bytes, descriptors);
    } catch {
      return 'sent';
    }
  }

  #want(): void {
    if (!this.#socket.closed) this.#watcher.want(this.#reading, this.#unsent.length > 0);
  }
}

/** As decodeResponse, and also the refusal of a request whose type nobody knows. */
function decodeAnswer(bytes: Uint8Array): Response {
  const { type, requestId, status } = decodeHeader(bytes);
  if (REQUEST_NAMES[type & ~RESPONSE_BIT] !== undefined) return decodeResponse(bytes);
  assert(isErrorStatus(status));
  return { type: 'error', requestId, request: 'status', status, text: '' };
}

/** What a test may state about a put beside name and size. */
export type PutFields = Partial<Omit<Extract<Call, { type: 'put' }>, 'type' | 'name' | 'size'>>;

export function putCall(name: string | undefined, size: number, fields: PutFields = {}): Call {
  const named = name === undefined ? {} : { name };
  return { type: 'put', size, contentAddressed: false, allowed: [], metadata: {}, ...named, ...fields };
}

export function get(name: string, wait = false): Call {
  return { type: 'get', selector: { by: 'name', name }, wait };
}

export function getId(id: number): Call {
  return { type: 'get', selector: { by: 'id', id }, wait: false };
}

export function drop(name: string): Call {
  return { type: 'drop', selector: { by: 'name', name } };
}

export function watch(
  pattern: string,
  fields: Partial<Omit<Extract<Call, { type: 'watch' }>, 'type'>> = {},
): Call {
  return { type: 'watch', pattern, literal: false, every: false, existing: true, ...fields };
}

/** A directory that goes with the test. */
export function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sealane-broker-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A broker in this process, and a way to connect to it; all of it ends with the test. */
export async function startBroker(t: TestContext, options: BrokerOptions = {}): Promise<TestBroker> {
  const broker = await Broker.start({ socket: join(directory(t), 'broker.sock'), ...options });
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await broker.stop();
  });
  return {
    broker,
    connect: () => {
      const client = new RawClient(broker.socket);
      clients.push(client);
      return client;
    },
    open: async (jobId, limits) => {
      const client = await RawClient.open(broker.socket, jobId, limits);
      clients.push(client);
      return client;
    },
  };
}

export interface TestBroker {
  broker: Broker;
  connect(): RawClient;
  open(jobId?: string, limits?: { maxMessageBytes?: number }): Promise<RawClient>;
}

/** Descriptors that a process has open. */
export function countDescriptors(pid: number | 'self' = 'self'): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The text behind a descriptor, which stays open. */
export function readText(fd: number): string {
  const bytes = new Uint8Array(inspect(fd).size);
  const copy = Memfd.take(duplicate(fd));
  try {
    copy.read(bytes, 0);
  } finally {
    copy.close();
  }
  return new TextDecoder().decode(bytes);
}

/** A sealed memfd that ends with the test. */
export function sealed(t: TestContext, text: string): Memfd {
  const memfd = Memfd.sealed('test', new TextEncoder().encode(text));
  t.after(() => memfd.close());
  return memfd;
}

/** Waits for something that is bound to happen; a watchdog ends a test for which it does not. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WATCHDOG_MS;
  while (!holds()) {
    assert(performance.now() < deadlineMs, `it never came that ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Far longer than anything in a test takes. */
const WATCHDOG_MS = 20_000;
