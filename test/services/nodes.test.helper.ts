// What the services' tests share: a domain in a directory of its own, nodes in it, and peers in other processes and threads. Whatever
// was started is ended when the test is over.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  Node,
  type Publisher,
  type PubSubService,
  type Sample,
  type ServiceEvent,
  type ServiceOptions,
  type Subscriber,
} from 'sealane';

/** The file of the peers that play roles. */
const fileOf = ({ script = 'peer.test.helper.js' }: PeerOptions) =>
  fileURLToPath(new URL(script, import.meta.url));

/** What a peer is told at its start. */
export interface PeerOptions {
  readonly directory: string;
  readonly role: string;
  readonly service: string;
  /** The file beside this one that has the role. Default: peer.test.helper.js. */
  readonly script?: string;
  readonly settings?: ServiceOptions;
  /** What else the role asks for. */
  readonly [name: string]: unknown;
}

/** How a peer's process is started. */
export interface PeerStart {
  /** Of Node.js. */
  readonly flags?: readonly string[];
  /** A command that runs it. */
  readonly wrapper?: readonly string[];
}

/** Whose end is the stage's: a test, or the whole run of tests (`after` of node:test). */
export interface Lifetime {
  after(end: () => unknown): void;
}

/** A domain of the test's own. */
export class Stage {
  readonly directory: string;
  /** What ends all that was started. */
  readonly #ends: (() => unknown)[] = [];

  constructor(t: Lifetime) {
    this.directory = mkdtempSync(join(tmpdir(), 'sealane-'));
    t.after(() => this.#end());
  }

  /** The directory last: whoever lives makes files in it. */
  async #end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A node of this thread. */
  async node(name = 'node'): Promise<Node> {
    const node = await Node.create({ name, directory: this.directory });
    this.#ends.push(() => node.close());
    return node;
  }

  /** A service in a node of its own. */
  async service(settings: ServiceOptions = {}, name = 'x'): Promise<PubSubService> {
    return await (await this.node()).service(name).publishSubscribe(settings);
  }

  /** A process that plays a role of peer.test.helper.ts. */
  peer(role: string, options: Record<string, unknown> = {}, how: PeerStart = {}): Peer {
    const peer = new Peer({ directory: this.directory, service: 'x', ...options, role }, how);
    this.#ends.push(() => peer.kill());
    return peer;
  }

  /** A thread of this process that plays a role of peer.test.helper.ts. */
  worker(role: string, options: Record<string, unknown> = {}): WorkerPeer {
    const peer = new WorkerPeer({ directory: this.directory, service: 'x', ...options, role });
    this.#ends.push(() => peer.worker.terminate());
    return peer;
  }

  /** Names of all files of nodes, ports and services. */
  files(): string[] {
    const domain = join(this.directory, 'domains', 'default');
    if (!existsSync(domain)) return [];
    const names = readdirSync(domain, { recursive: true, encoding: 'utf8' });
    return names.filter((name) => !['lock', 'nodes', 'services'].includes(name)).sort();
  }

  /** Files that one node left, and what it has in services. */
  filesOf(node: string): string[] {
    return this.files().filter((name) => name.includes(node));
  }

  /** A file by which a peer whose event loop does not turn is told something: its path, and what makes it. */
  flag(name: string): { path: string; raise: () => void } {
    const path = join(this.directory, name);
    return { path, raise: () => writeFileSync(path, '') };
  }
}

/** Lines that somebody says, one by one. */
class Lines {
  readonly #lines: string[] = [];
  readonly #waiting: Array<(line: string | undefined) => void> = [];
  #ended = false;

  push(line: string): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#lines.push(line);
    else waiting(line);
  }

  end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }

  async next(): Promise<string> {
    const line =
      this.#lines.shift() ??
      (this.#ended ? undefined : await new Promise((resolve) => this.#waiting.push(resolve)));
    if (line === undefined) throw new Error('the peer ended before it said another line');
    return line;
  }
}

/** A peer in a process of its own. */
export class Peer {
  readonly child: ChildProcess;
  readonly errors: string[] = [];
  readonly #lines = new Lines();

  constructor(options: PeerOptions, { flags = [], wrapper = [] }: PeerStart) {
    const words = [...wrapper, process.execPath, ...flags, fileOf(options), JSON.stringify(options)];
    this.child = spawn(words[0] as string, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.child;
    assert.ok(stdout && stderr);
    createInterface({ input: stdout })
      .on('line', (line) => this.#lines.push(line))
      .on('close', () => this.#lines.end());
    createInterface({ input: stderr }).on('line', (line) => this.errors.push(line));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** The next line that it says. */
  async line(): Promise<string> {
    try {
      return await this.#lines.next();
    } catch (error) {
      throw new Error(this.errors.join('\n'), { cause: error });
    }
  }

  /** Tells it something, for roles that read. */
  tell(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Its exit code, once it has ended and all that it said has come; null after a signal. */
  async ended(): Promise<number | null> {
    if (this.child.stdout?.closed !== true) await once(this.child, 'close');
    return this.child.exitCode;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** A peer in a thread of this process. */
export class WorkerPeer {
  readonly worker: Worker;
  readonly #lines = new Lines();

  constructor(options: PeerOptions) {
    this.worker = new Worker(fileOf(options), { workerData: options });
    this.worker.on('message', (line) => this.#lines.push(String(line)));
    this.worker.on('error', (error) => this.#lines.push(`error: ${error}`));
    this.worker.on('exit', () => this.#lines.end());
  }

  line(): Promise<string> {
    return this.#lines.next();
  }

  tell(line: string): void {
    this.worker.postMessage(line);
  }
}

/** A sample's payload as text; it is released. */
export function text(sample: Sample | undefined): string | undefined {
  if (sample === undefined) return undefined;
  const words = Buffer.from(sample.bytes).toString();
  sample.release();
  return words;
}

/** All that is there now, as texts. */
export function texts(receiver: { receive(): Sample | undefined }): string[] {
  const all: string[] = [];
  for (let word = text(receiver.receive()); word !== undefined; word = text(receiver.receive()))
    all.push(word);
  return all;
}

export const bytesOf = (words: string | number) => new Uint8Array(Buffer.from(String(words)));

type EventOf<T, E = ServiceEvent> = E extends { type: infer U } ? (T extends U ? E : never) : never;

/** The next event of that type. */
export async function event<T extends ServiceEvent['type']>(
  events: AsyncIterable<ServiceEvent>,
  type: T,
): Promise<EventOf<T>> {
  for await (const one of { [Symbol.asyncIterator]: () => keepOpen(events[Symbol.asyncIterator]()) })
    if (one.type === type) return one as EventOf<T>;
  throw new Error(`the events ended without ${type}`);
}

/** An iterator that a loop may leave without ending it. */
function keepOpen<T>(iterator: AsyncIterator<T>): AsyncIterator<T> {
  return { next: () => iterator.next() };
}

/** Turns the event loop until `done`; whoever waits for what never comes is ended by the watchdog of the test run. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

/** What this process has open of ours: memory, sockets, and what watches them. Numbers of sockets are left out. */
export function ownDescriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // The descriptor with which the folder was read.
        return '';
      }
    })
    .filter((target) => /^(\/memfd:sealane|socket:|anon_inode:(\[eventpoll\]|inotify))/.test(target))
    .map((target) => target.replace(/\[\d+\]$/, ''))
    .sort();
}

/** Resolves when every one of these publishers and subscribers is connected to all of the others' kind. */
export async function joined(
  publishers: readonly Publisher[],
  subscribers: readonly Subscriber[],
): Promise<void> {
  for (const publisher of publishers) await publisher.connected(subscribers.length);
  for (const subscriber of subscribers) await subscriber.connected(publishers.length);
}
