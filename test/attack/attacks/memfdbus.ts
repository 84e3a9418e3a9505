// Attacks over the socket for memfdbus clients, of which each connection carries one request. The well-behaved client is a native one beside them.
import {
  BLOB_SEALS,
  closeDescriptor,
  decodeMemfdbusHeader,
  encodeMemfdbus,
  MEMFDBUS_COMMAND,
  MEMFDBUS_HEADER_BYTES,
  MEMFDBUS_STATUS,
  Memfd,
  type UnixSocket,
  Watcher,
} from 'sealane/internal';
import { type Attack, type Kit, Stopped } from '../attack.js';
import { crowdHindrance, sendCrowd } from '../crowd.js';

const BYTES = 4_096;
const TEBIBYTE = 2 ** 40;

/** More connections than the broker takes at once. */
const CROWDED = 300;

const STATUS_NAMES = new Map<number, string>(
  Object.entries(MEMFDBUS_STATUS).map(([name, number]) => [number, name]),
);

/** The status of an answer in words; `closed`: there is none. */
function outcomeOf(answer: Uint8Array): string {
  if (answer.length < MEMFDBUS_HEADER_BYTES) return answer.length === 0 ? 'closed' : 'half an answer';
  const { status } = decodeMemfdbusHeader(answer);
  return STATUS_NAMES.get(status) ?? `status ${status}`;
}

/** One connection: bytes go out as they are, and what comes back is kept to its first 48 bytes. */
class Stream {
  ended = false;
  /** Bytes. */
  sent = 0;
  #head = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #closed = false;
  readonly #watcher: Watcher;
  readonly #buffer: Uint8Array;

  constructor(
    private readonly kit: Kit,
    private readonly socket: UnixSocket,
  ) {
    this.#buffer = kit.keep('stream buffer', () => new Uint8Array(65_536));
    this.#watcher = new Watcher(socket.fd, () => this.#onReady());
    this.#watcher.want(true, false);
    kit.connections.add(this);
  }

  /** Sends as much as fits at once. What is lost with the connection shows when it is read. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): void {
    if (this.#closed || bytes.length === 0) return;
    try {
      const taken = this.socket.write(bytes, descriptors);
      if (typeof taken === 'number') this.sent += taken;
    } catch {
      this.ended = true;
    }
  }

  /** Sends nothing more. */
  finish(): void {
    if (!this.#closed) this.socket.finish();
  }

  /** What the broker answered, once it has ended the connection. */
  async outcome(): Promise<string> {
    while (!this.ended && !this.#closed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.kit.stopping) throw new Stopped();
    return outcomeOf(this.#head);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.kit.connections.delete(this);
    this.#watcher.close();
    this.socket.close();
    this.#wake();
  }

  #onReady(): void {
    try {
      for (;;) {
        const piece = this.socket.receive(this.#buffer);
        if (piece === 'empty') return;
        if (piece === 'end') break;
        for (const descriptor of piece.descriptors) closeDescriptor(descriptor);
        const bytes = this.#buffer.subarray(0, piece.bytes);
        this.#head = Buffer.concat([this.#head, bytes]).subarray(0, MEMFDBUS_HEADER_BYTES);
      }
    } catch {
      // Reset: as good as ended.
    }
    this.#watcher.want(false, false);
    this.ended = true;
    this.#wake();
  }
}

async function connect(kit: Kit): Promise<Stream | undefined> {
  const socket = await kit.connectTo(kit.memfdbusSocket, 'stream');
  return socket && new Stream(kit, socket);
}

/** Sends a request, or a part of one, and nothing more; records what comes of it. */
async function provoke(kit: Kit, bytes: Uint8Array, descriptors: readonly number[] = []): Promise<void> {
  const stream = await connect(kit);
  if (stream === undefined) return;
  try {
    stream.send(bytes, descriptors);
    stream.finish();
    kit.saw(await stream.outcome());
  } finally {
    stream.close();
  }
}

function content(kit: Kit): Memfd {
  return kit.keep('content', () => Memfd.sealed('attack', new Uint8Array(BYTES)));
}

/** A put of a digest that the content does not have: complete, it is refused. */
function put(size = BYTES): Uint8Array {
  const text = Buffer.from(`sha256:${'0'.repeat(64)}`);
  return encodeMemfdbus(MEMFDBUS_COMMAND.put, { size: BigInt(size) }, { name: Buffer.from('attack'), text });
}

async function sendHalf(kit: Kit): Promise<void> {
  const whole = kit.keep('whole', () => put());
  await provoke(
    kit,
    whole.subarray(0, kit.turn % (whole.length + 1)),
    kit.turn === 0 ? [] : [content(kit).fd],
  );
}

async function sendGarbage(kit: Kit): Promise<void> {
  const bytes = Uint8Array.from({ length: 1 + (kit.turn % 300) }, () => Math.floor(Math.random() * 256));
  const header = put().subarray(0, 8);
  if (kit.turn % 2 === 1) bytes.set(header.subarray(0, Math.min(bytes.length, header.length)));
  await provoke(kit, bytes);
}

/** Holds more connections than there may be; `perTurn` says what each does in a turn. */
async function crowdIn(kit: Kit, perTurn: (stream: Stream) => void): Promise<void> {
  const held = kit.keep<Stream[]>('held', () => []);
  const stream = await connect(kit);
  if (stream !== undefined) held.push(stream);
  if (held.length > CROWDED) held.shift()?.close();
  for (const each of [...held]) {
    if (each.ended) {
      kit.saw(await each.outcome());
      each.close();
      held.splice(held.indexOf(each), 1);
    } else perTurn(each);
  }
}

/** Another byte, but never the last one. */
function sendSlowly(stream: Stream): void {
  const whole = put();
  if (stream.sent < whole.length - 1) stream.send(whole.subarray(stream.sent, stream.sent + 1));
}

async function demandDigest(kit: Kit): Promise<void> {
  const huge = kit.keep('huge', () => {
    const memfd = Memfd.create('sparse', TEBIBYTE);
    memfd.seal(BLOB_SEALS);
    return memfd;
  });
  const waiting = kit.keep<Stream[]>('waiting', () => []);
  const stream = await connect(kit);
  if (stream === undefined) return;
  stream.send(put(TEBIBYTE), [huge.fd]);
  waiting.push(stream);
  if (waiting.length > 8) waiting.shift()?.close();
  await provoke(kit, put(), [content(kit).fd]);
}

/** Asks for lists, and reads none. */
async function listUnread(kit: Kit): Promise<void> {
  const held = kit.keep<UnixSocket[]>('unread', () => []);
  const socket = await kit.connectTo(kit.memfdbusSocket, 'stream');
  if (socket === undefined) return;
  socket.write(encodeMemfdbus(MEMFDBUS_COMMAND.list, {}), []);
  held.push(socket);
  if (held.length > CROWDED) held.shift()?.close();
  await provoke(kit, encodeMemfdbus(MEMFDBUS_COMMAND.list, {}));
}

async function floodDescriptors(kit: Kit): Promise<void> {
  kit.attempts++;
  const place = { socket: kit.memfdbusSocket, type: 'stream' } as const;
  const count = [2, 5, 6, 100, 253][kit.turn % 5] ?? 253;
  const answers = await sendCrowd({
    ...place,
    greeting: new Uint8Array(0),
    packet: put(),
    kind: 'memfd',
    count,
  });
  for (const answer of answers) kit.saw(outcomeOf(answer ?? new Uint8Array(0)));
}

export const MEMFDBUS: readonly Attack[] = [
  {
    name: 'memfdbus: half requests',
    what: 'Every truncation of a put with its descriptor, after which nothing more comes.',
    roles: ['own', 'admitted'],
    expected: ['badRequest', 'closed'],
    round: sendHalf,
  },
  {
    name: 'memfdbus: garbage',
    what: 'Random bytes, half of them behind the beginning of a right header.',
    roles: ['own', 'admitted'],
    expected: ['badRequest', 'closed'],
    round: sendGarbage,
  },
  {
    name: 'memfdbus: idle connections',
    what: 'Two processes hold 300 connections each, which send nothing, and open new ones without end.',
    roles: ['own', 'admitted'],
    expected: ['error'],
    possible: ['closed'],
    processes: 2,
    round: (kit) => crowdIn(kit, () => undefined),
  },
  {
    name: 'memfdbus: slow senders',
    what: '300 connections that send a byte of their request now and then.',
    roles: ['own', 'admitted'],
    expected: ['error'],
    possible: ['closed'],
    round: (kit) => crowdIn(kit, sendSlowly),
  },
  {
    name: 'memfdbus: strangers',
    what: 'A user who is not admitted asks, over and over.',
    roles: ['stranger'],
    expected: ['forbidden'],
    possible: ['closed'],
    round: (kit) => provoke(kit, put(), [content(kit).fd]),
  },
  {
    name: 'memfdbus: descriptor floods',
    what: 'Puts with 2 to 253 descriptors on their first byte.',
    roles: ['own', 'admitted'],
    expected: ['badRequest'],
    hindrance: crowdHindrance,
    round: floodDescriptors,
  },
  {
    name: 'memfdbus: a tebibyte to hash',
    what: 'Sparse memfds of 1 TiB, each of which must be hashed before it is answered.',
    roles: ['own', 'admitted'],
    expected: ['badRequest'],
    broker: ({ own, admitted }) => ({ users: own === admitted ? [] : [admitted], maxBytes: 64 * TEBIBYTE }),
    round: demandDigest,
  },
  {
    name: 'memfdbus: unread lists',
    what: '300 connections that ask for a list and read nothing.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    possible: ['error', 'closed'],
    round: listUnread,
  },
];
