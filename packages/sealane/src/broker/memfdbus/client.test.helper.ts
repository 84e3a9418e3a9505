/**
 * For tests: a client of memfdbus that sends bytes as it likes, and brokers with a memfdbus socket that end with their test.
 * Owns its socket and every descriptor that it receives.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { closeDescriptor } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { UnixSocket } from '../../os/unix-socket.js';
import { Watcher } from '../../os/watcher.js';
import {
  decodeMemfdbusHeader,
  decodeMemfdbusPayload,
  encodeMemfdbus,
  MEMFDBUS_COMMAND,
  MEMFDBUS_HEADER_BYTES,
  MEMFDBUS_STATUS,
  type MemfdbusHeader,
} from '../../wire/index.js';
import type { BrokerOptions } from '../options.js';
import { directory, startBroker, type TestBroker } from '../raw-client.test.helper.js';

/** A response; `descriptors` belong to the client. */
export interface Reply {
  header: MemfdbusHeader;
  name: string;
  text: string;
  descriptors: number[];
}

/** A request: texts are sent as they are, or as bytes. */
export interface Ask {
  objectId?: bigint;
  size?: bigint;
  name?: string | Uint8Array;
  text?: string;
  job?: string | Uint8Array;
  allowed?: string | Uint8Array;
}

/** One for all clients: what came is copied at once. */
const receiveBuffer = new Uint8Array(65_536);

export class StreamClient {
  /** Resolves when the broker ended the connection. */
  readonly ended: Promise<void>;
  readonly #socket: UnixSocket;
  readonly #watcher: Watcher;
  readonly #descriptors: number[] = [];
  #received = Buffer.alloc(0);
  #unsent: Uint8Array = new Uint8Array(0);
  #carried: readonly number[] | undefined;
  #end: () => void = () => undefined;

  constructor(path: string, socket = UnixSocket.connect(path, 'stream')) {
    assert(socket !== undefined, 'the backlog is full');
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#watcher = new Watcher(socket.fd, () => this.#onReady());
    this.#watcher.want(true, false);
  }

  /** Sends bytes after those that wait, with descriptors on the first of them if none wait. */
  send(bytes: Uint8Array, descriptors?: readonly number[]): void {
    if (descriptors !== undefined) this.#carried = descriptors;
    this.#unsent = Buffer.concat([this.#unsent, bytes]);
    this.#flush();
  }

  /** Sends nothing more. */
  finish(): void {
    this.#socket.finish();
  }

  /** All that came, once the broker ended the connection: undefined when that is nothing. */
  async reply(): Promise<Reply | undefined> {
    await this.ended;
    if (this.#received.length === 0) return undefined;
    const header = decodeMemfdbusHeader(this.#received);
    const payload = decodeMemfdbusPayload(header, this.#received.subarray(MEMFDBUS_HEADER_BYTES));
    return {
      header,
      name: Buffer.from(payload.name).toString(),
      text: Buffer.from(payload.text).toString(),
      descriptors: this.#descriptors,
    };
  }

  close(): void {
    this.#watcher.close();
    this.#socket.close();
    for (const descriptor of this.#descriptors.splice(0)) closeDescriptor(descriptor);
    this.#end();
  }

  #onReady(): void {
    this.#flush();
    for (;;) {
      const piece = this.#socket.receive(receiveBuffer);
      if (piece === 'empty') return;
      if (piece === 'end') {
        this.#watcher.want(false, false);
        this.#end();
        return;
      }
      this.#descriptors.push(...piece.descriptors);
      this.#received = Buffer.concat([this.#received, receiveBuffer.subarray(0, piece.bytes)]);
    }
  }

  #flush(): void {
    while (this.#unsent.length > 0) {
      const taken = this.#write();
      if (typeof taken === 'string') break;
      this.#carried = undefined;
      this.#unsent = this.#unsent.subarray(taken);
    }
    this.#watcher.want(true, this.#unsent.length > 0);
  }

  /** A broker that closed is met at the next receive: what it does not take any more is thrown away. */
  #write(): number | 'full' | 'in-flight' {
    try {
      return this.#socket.write(this.#unsent, this.#carried);
    } catch {
      return this.#unsent.length;
    }
  }
}

/** The bytes of a request. */
export function requestOf(command: number, { objectId = 0n, size = 0n, ...texts }: Ask): Uint8Array {
  const payload = Object.fromEntries(
    Object.entries(texts).map(([key, value]) => [
      key,
      typeof value === 'string' ? Buffer.from(value) : value,
    ]),
  );
  return encodeMemfdbus(command, { objectId, size }, payload);
}

export function digestOf(bytes: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export class MemfdbusBroker {
  readonly #clients: StreamClient[] = [];

  constructor(
    readonly native: TestBroker,
    readonly path: string,
  ) {}

  static async start(t: TestContext, options: BrokerOptions = {}): Promise<MemfdbusBroker> {
    const path = join(directory(t), 'memfdbus.sock');
    const result = new MemfdbusBroker(await startBroker(t, { memfdbusSocket: path, ...options }), path);
    t.after(() => {
      for (const client of result.#clients) client.close();
    });
    return result;
  }

  connect(): StreamClient {
    const client = new StreamClient(this.path);
    this.#clients.push(client);
    return client;
  }

  /** A connection of another user; only root can make one. */
  connectAs(uid: number): StreamClient {
    process.seteuid?.(uid);
    try {
      return this.connect();
    } finally {
      process.seteuid?.(0);
    }
  }

  /** The answer to bytes that are sent as they are. */
  async send(bytes: Uint8Array, descriptors?: readonly number[]): Promise<Reply> {
    const client = this.connect();
    client.send(bytes, descriptors);
    const reply = await client.reply();
    assert(reply !== undefined, 'the connection ended without an answer');
    return reply;
  }

  ask(
    command: keyof typeof MEMFDBUS_COMMAND,
    fields: Ask = {},
    descriptors?: readonly number[],
  ): Promise<Reply> {
    return this.send(requestOf(MEMFDBUS_COMMAND[command], fields), descriptors);
  }

  /** Puts a text; resolves to the id. */
  async put(name: string, text: string, fields: Ask = {}): Promise<bigint> {
    using memfd = Memfd.sealed('test', Buffer.from(text));
    const stated = { name, size: BigInt(memfd.size), text: digestOf(text), ...fields };
    return succeeded(await this.ask('put', stated, [memfd.fd])).header.objectId;
  }
}

export function succeeded(reply: Reply): Reply {
  assert.equal(reply.header.status, MEMFDBUS_STATUS.ok, reply.text);
  return reply;
}

/** Fails unless the reply is this failure and nothing else. */
export function refused(
  reply: Reply | undefined,
  status: keyof typeof MEMFDBUS_STATUS,
  text: string,
  command?: number,
): void {
  assert(reply !== undefined, `no answer; expected ${text}`);
  assert.deepEqual([reply.text, reply.header.status], [text, MEMFDBUS_STATUS[status]]);
  if (command !== undefined) assert.equal(reply.header.command, command);
  assert.equal(reply.descriptors.length, 0);
}
