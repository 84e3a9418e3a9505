// The peer that is written in Rust (bench/peers/iceoryx2), as sides of measurements: its processes, and the folder and
// the shared memory that they leave behind.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Peer } from '../harness/peers.js';
import type { Place } from '../harness/pinning.js';
import type { PingPong, PingPongOptions, Stream, StreamOptions, Turns } from './sides.js';

const PROGRAM = 'iceoryx2/release/iceoryx2_peer';
const SHARED_MEMORY = '/dev/shm';

type Role = 'ping' | 'echo' | 'send' | 'count' | 'event-ping' | 'event-echo';

/** The processes of one measurement. They share a folder of their own, whose name is also on their shared memory. */
class Group implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
  readonly #peers: Peer[] = [];
  readonly #options: StreamOptions;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** Ends what was started already when the rest can't be. */
  async build<Side>(build: () => Promise<Side>): Promise<Side> {
    try {
      return await build();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** With `place` anywhere there may be more processes than cores, so they let others run while they wait. */
  async start(role: Role, place: Place): Promise<Peer> {
    const { payloadBytes, subscribers } = this.#options;
    const waiting = place === 'anywhere' ? 'yield' : 'spin';
    const peer = Peer.start(PROGRAM, [role, this.#folder, payloadBytes, subscribers, waiting], place);
    this.#peers.push(peer);
    await peer.ready();
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
    for (const name of readdirSync(SHARED_MEMORY)) {
      if (name.startsWith(`${basename(this.#folder)}_`)) rmSync(join(SHARED_MEMORY, name), { force: true });
    }
  }
}

export class Iceoryx2PingPong implements PingPong {
  readonly #group: Group;
  readonly #ping: Peer;
  readonly #echo: Peer;

  private constructor(group: Group, ping: Peer, echo: Peer) {
    this.#group = group;
    this.#ping = ping;
    this.#echo = echo;
  }

  static async start({ payloadBytes }: PingPongOptions): Promise<Iceoryx2PingPong> {
    const group = new Group({ payloadBytes, subscribers: 1 });
    return group.build(async () => {
      const echo = await group.start('echo', 'broker');
      return new Iceoryx2PingPong(group, await group.start('ping', 'client'), echo);
    });
  }

  async trips(count: number): Promise<readonly number[]> {
    const [samples] = await Promise.all([this.#ping.ask(`trips ${count}`), this.#echo.ask(`${count}`)]);
    return samples;
  }

  async total(count: number): Promise<number> {
    const [[nanoseconds = Number.NaN]] = await Promise.all([
      this.#ping.ask(`total ${count}`),
      this.#echo.ask(`${count}`),
    ]);
    return nanoseconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#group[Symbol.asyncDispose]();
  }
}

/** Both sleep in a blocking wait until the other's notification comes. */
export class Iceoryx2Events implements Turns {
  readonly #group: Group;
  readonly #ping: Peer;
  readonly #echo: Peer;

  private constructor(group: Group, ping: Peer, echo: Peer) {
    this.#group = group;
    this.#ping = ping;
    this.#echo = echo;
  }

  static async start(): Promise<Iceoryx2Events> {
    const group = new Group({ payloadBytes: 8, subscribers: 1 });
    return group.build(async () => {
      const echo = await group.start('event-echo', 'broker');
      return new Iceoryx2Events(group, await group.start('event-ping', 'client'), echo);
    });
  }

  async trips(count: number): Promise<readonly number[]> {
    const [samples] = await Promise.all([this.#ping.ask(`${count}`), this.#echo.ask(`${count}`)]);
    return samples;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#group[Symbol.asyncDispose]();
  }
}

export class Iceoryx2Stream implements Stream {
  readonly #group: Group;
  readonly #sender: Peer;
  readonly #subscribers: readonly Peer[];

  private constructor(group: Group, sender: Peer, subscribers: readonly Peer[]) {
    this.#group = group;
    this.#sender = sender;
    this.#subscribers = subscribers;
  }

  static async start(options: StreamOptions): Promise<Iceoryx2Stream> {
    const group = new Group(options);
    const pinned = options.subscribers === 1;
    return group.build(async () => {
      const subscribers: Peer[] = [];
      for (let index = 0; index < options.subscribers; index++) {
        subscribers.push(await group.start('count', pinned ? 'broker' : 'anywhere'));
      }
      const sender = await group.start('send', pinned ? 'client' : 'anywhere');
      const stream = new Iceoryx2Stream(group, sender, subscribers);
      // A subscriber connects when it first looks; until then a publisher drops what the buffer can't hold.
      await stream.burst(1);
      return stream;
    });
  }

  /** Each process has its own clock's start; the one that took longest tells when all had all. */
  async run(count: number): Promise<number> {
    const receiving = this.#subscribers.map((subscriber) => subscriber.ask(`count ${count}`));
    const answers = await Promise.all([this.#sender.ask(`send ${count}`), ...receiving]);
    return Math.max(...answers.flat());
  }

  async burst(count: number): Promise<number> {
    const [nanoseconds = Number.NaN] = await this.#sender.ask(`send ${count}`);
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.ask(`count ${count}`)));
    return nanoseconds;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#group[Symbol.asyncDispose]();
  }
}
