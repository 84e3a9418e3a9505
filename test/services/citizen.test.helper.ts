/**
 * Processes of different users, in namespaces of their own or not, that take part in a shared domain and do what they are told. Run as a
 * process of its own, this file is one of them. Owns the processes: they end with their test.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs, { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type BufferPublisher,
  type BufferSubscriber,
  createSharedDomain,
  isSealaneError,
  type Listener,
  listNodes,
  listServices,
  Node,
  type Notifier,
  type Publisher,
  type PubSubService,
  type ServiceOptions,
  type SharedDomainOptions,
  type Subscriber,
} from 'sealane';
import {
  Domain,
  decodeAccepted,
  decodeAnswer,
  disposeDescriptors,
  encodeConnect,
  FileLock,
  serviceFolderName,
  UnixSocket,
} from 'sealane/internal';
import { checkMarked, type Mark, marksOpen, sendMarked } from '../buffers/marks.test.helper.js';
import { holdings } from './kernel.test.helper.js';
import { until } from './nodes.test.helper.js';

const SCRIPT = fileURLToPath(import.meta.url);

/** Users of this run's own. */
export const ALICE = 800_000 + process.pid;
export const BOB = 5_000_000 + process.pid;
export const MALLORY = 10_000_000 + process.pid;
/** Groups that no user has by itself. */
export const GROUP = 15_000_000 + process.pid;
export const OTHER_GROUP = 20_000_000 + process.pid;

/** Who a process is. */
export interface Person {
  /** Undefined: who runs the tests. */
  readonly uid?: number;
  readonly groups?: readonly number[];
  /** Programs that start it in namespaces: run before it becomes its user, and as that user. */
  readonly before?: readonly string[];
  readonly through?: readonly string[];
}

function commandLine(person: Person, words: readonly string[]): string[] {
  const { uid, groups = [], before = [], through = [] } = person;
  const supplementary = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  const become = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, supplementary];
  return [...before, ...become, ...through, ...words];
}

/** Why there can be no process of this kind here; false if there can. */
export function whyNo(person: Person): string | false {
  if (person.uid !== undefined && process.getuid?.() !== 0) return 'only root can become another user';
  const [program = '', ...words] = commandLine(person, [process.execPath, '--check', SCRIPT]);
  const { status, error, stderr } = spawnSync(program, words, { encoding: 'utf8', cwd: '/' });
  if (error !== undefined) return `there is no ${program}(1)`;
  return status === 0 ? false : `${program} fails here: ${stderr.trim().split('\n').at(-1)}`;
}

/** A shared domain of the test's own, made by who runs it, and removed with it. */
export async function freshSharedDomain(t: TestContext, options?: SharedDomainOptions): Promise<string> {
  const top = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  chmodSync(top, 0o755);
  const directory = join(top, 'bus');
  await createSharedDomain(directory, options);
  return directory;
}

/** What the process is told: the name of one of the actions below, and what it asks for. */
type Order = { readonly action: keyof typeof ACTIONS; readonly given: Given };

interface Given {
  /** A function of node:fs with its arguments. */
  readonly call?: readonly [
    name: 'mkdirSync' | 'writeFileSync' | 'symlinkSync' | 'chmodSync' | 'rmSync' | 'renameSync',
    ...values: unknown[],
  ];
  readonly node?: string;
  readonly port?: number;
  readonly path?: string;
  readonly withDescriptor?: boolean;
  readonly buffers?: true;
  readonly directory?: string;
  readonly service?: string;
  readonly how?: 'create' | 'open' | 'openOrCreate';
  readonly options?: ServiceOptions;
  readonly text?: string;
  readonly count?: number;
}

/** A process that acts for somebody. */
export class Citizen {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#ended = once(child, 'exit');
  }

  /** One that has a node in the domain. */
  static async join(t: TestContext, directory: string, person: Person = {}): Promise<Citizen> {
    const citizen = await Citizen.start(t, person);
    await citizen.ask('join', { directory });
    return citizen;
  }

  static async start(t: TestContext, person: Person = {}): Promise<Citizen> {
    const [program = '', ...words] = commandLine(person, [process.execPath, SCRIPT, 'citizen']);
    const env = { ...process.env, SEALANE_SHARED_DIR: '' };
    const child = spawn(program, words, { cwd: '/', env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    t.after(async () => await end(child));
    await once(child, 'message');
    return new Citizen(child);
  }

  /** Resolves with what the action gives; rejects with an error that has the code and the message of its own. */
  async ask<A extends keyof typeof ACTIONS>(
    action: A,
    given: Given = {},
  ): Promise<Awaited<ReturnType<(typeof ACTIONS)[A]>>> {
    this.child.send({ action, given });
    const [answer] = (await Promise.race([
      once(this.child, 'message'),
      this.#ended.then(() => [{ code: 'EXIT', message: `it ended during ${action}` }]),
    ])) as [{ value?: unknown; code?: string; message?: string }];
    if (answer.code === undefined) return answer.value as Awaited<ReturnType<(typeof ACTIONS)[A]>>;
    throw Object.assign(new Error(answer.message), { code: answer.code });
  }

  /** Ends it by SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    await end(this.child);
  }
}

/** A process that another started for it outlives that one, but not the connection. */
async function end(child: ChildProcess): Promise<void> {
  const over = child.exitCode !== null || child.signalCode !== null;
  const ended = over ? undefined : once(child, 'exit');
  child.kill('SIGKILL');
  if (child.connected) child.disconnect();
  await ended;
}

/** What the process that runs this has. */
const own: {
  node?: Node;
  service?: PubSubService;
  publisher?: Publisher;
  subscriber?: Subscriber;
  framePublisher?: BufferPublisher<Mark>;
  frameSubscriber?: BufferSubscriber<Mark>;
  notifier?: Notifier;
  listener?: Listener;
} = {};
const degraded: { code: string; message: string }[] = [];

/** Connections that are kept open. */
const silent: UnixSocket[] = [];

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it was not made yet');
  return value;
}

async function followDegraded(service: PubSubService): Promise<void> {
  for await (const event of service.events())
    if (event.type === 'degraded') degraded.push({ code: event.error.code, message: event.error.message });
}

const ACTIONS = {
  async join({ directory }: Given) {
    own.node = await Node.create({ name: 'citizen', sharedDirectory: there(directory) });
    return own.node.id;
  },
  async open({ service = 'x', how = 'openOrCreate', options = {} }: Given) {
    const builder = there(own.node).service(service);
    const opening = { create: 'createPublishSubscribe', open: 'openPublishSubscribe' } as const;
    own.service = await builder[how === 'openOrCreate' ? 'publishSubscribe' : opening[how]](options);
    void followDegraded(own.service);
    return own.service.ports();
  },
  async publisher(_given: Given) {
    own.publisher = await there(own.service).publisher();
    return own.publisher.port;
  },
  async subscriber(_given: Given) {
    own.subscriber = await there(own.service).subscriber();
    return own.subscriber.port;
  },
  async publisherConnected({ count = 1 }: Given) {
    await there(own.publisher).connected(count);
  },
  async subscriberConnected({ count = 1 }: Given) {
    await there(own.subscriber).connected(count);
  },
  async send({ text = '' }: Given) {
    return there(own.publisher).sendCopy(Buffer.from(text));
  },
  async next(_given: Given) {
    const sample = await there(own.subscriber).next();
    const text = Buffer.from(sample.bytes).toString();
    const { pid } = sample.header;
    sample.release();
    return { text, pid };
  },
  async framePublisher(_given: Given) {
    own.framePublisher = await there(own.service).bufferPublisher<Mark>();
  },
  async frameSubscriber(_given: Given) {
    own.frameSubscriber = await there(own.service).bufferSubscriber<Mark>();
  },
  async framesConnected({ count = 1 }: Given) {
    await own.framePublisher?.connected(count);
    await own.frameSubscriber?.connected(count);
  },
  /** How many got it. */
  async sendFrame({ count = 1 }: Given) {
    return sendMarked(there(own.framePublisher), { sender: process.pid, frame: count, planes: 2 });
  },
  async nextFrame(_given: Given) {
    using frame = await there(own.frameSubscriber).next();
    checkMarked(frame);
    return { sender: frame.meta.sender, frame: frame.meta.frame, pid: frame.publisher.pid };
  },
  /** The other ends of its frames, and descriptors of frames that it has: those that another thread closes are gone soon. */
  async framePeers(_given: Given) {
    await until(() => marksOpen() === 0);
    const publishers = own.frameSubscriber?.figures.publishers ?? [];
    const subscribers = own.framePublisher?.figures.subscribers ?? [];
    return { publishers: publishers.length, subscribers: subscribers.length, open: marksOpen() };
  },
  /** The first refusal of a peer, or by one. */
  async degraded(_given: Given) {
    while (degraded.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return there(degraded.shift());
  },
  async peers(_given: Given) {
    return there(own.publisher).figures.subscribers.map(({ node }) => node);
  },
  async list({ directory }: Given) {
    const place = { sharedDirectory: there(directory) };
    const [nodes, services] = [await listNodes(place), await listServices(place)];
    return { nodes: nodes.map(({ startedAt, ...node }) => node), services };
  },
  async notifier({ service = 'e', options = {} }: Given) {
    const events = await there(own.node).service(service).event({ access: options.access });
    own.notifier = await events.notifier();
    await own.notifier.connected();
  },
  async listener({ service = 'e' }: Given) {
    const events = await there(own.node).service(service).event();
    own.listener = await events.listener();
  },
  async notify({ count = 0 }: Given) {
    return there(own.notifier).notify(count);
  },
  async notice(_given: Given) {
    return await there(own.listener).next();
  },
  /** Descriptors and mappings of this process. */
  async holdings(_given: Given) {
    return holdings();
  },
  async leave(_given: Given) {
    own.node?.close();
  },
  async id(_given: Given) {
    return there(own.node).id;
  },
  async makeDomain({ directory = '' }: Given) {
    await createSharedDomain(directory);
  },
  async fs({ call }: Given) {
    const [name, ...values] = there(call);
    (fs[name] as (...values: unknown[]) => void)(...values);
  },
  async fifo({ path = '' }: Given) {
    const { status } = spawnSync('mkfifo', [path]);
    if (status !== 0) throw new Error('mkfifo failed');
  },
  async takeLock({ directory = '' }: Given) {
    return FileLock.tryAcquire(join(directory, 'lock')) !== undefined;
  },
  /** Connects to a node so many times, and says nothing. */
  async crowd({ directory, node = '', count = 1 }: Given) {
    const path = Domain.open({ sharedDirectory: directory }).nodeSocket(node);
    while (silent.length < count) {
      const socket = UnixSocket.connect(path);
      if (socket === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
      else silent.push(socket);
    }
    return silent.length;
  },
  /** Asks the port of a node for a connection, without a look at whether it may; says whatever node it is told. */
  async dial({ directory, node = '', service = 'x', port = 1, text = '', withDescriptor, buffers }: Given) {
    const domain = Domain.open({ sharedDirectory: directory });
    using socket = there(UnixSocket.connect(domain.nodeSocket(node)));
    const parties = { service: serviceFolderName(service), sender: port, node: text, receiver: 1 };
    const wishes = { bufferSize: 1, maxBorrowed: 1, history: 0, ...(buffers ? { buffers } : {}) };
    socket.send(
      encodeConnect({ messaging: 'publish-subscribe', ...parties, ...wishes }),
      withDescriptor ? [socket.fd] : [],
    );
    const answer = await packetOf(socket);
    return answer.type === 'refused' ? `${answer.reason}: ${answer.text}` : 'accepted';
  },
};

async function packetOf(socket: UnixSocket) {
  const buffer = new Uint8Array(1_024);
  for (;;) {
    const packet = socket.receive(buffer);
    if (packet === 'end') throw new Error('the node hung up');
    if (packet === 'empty') await new Promise((resolve) => setTimeout(resolve, 5));
    else {
      disposeDescriptors(packet.descriptors);
      return decodeAnswer(buffer.subarray(0, packet.bytes), decodeAccepted);
    }
  }
}

async function obey({ action, given }: Order): Promise<void> {
  try {
    process.send?.({ value: await ACTIONS[action](given) });
  } catch (error) {
    const { message } = error as Error;
    process.send?.({ code: isSealaneError(error) ? error.code : 'ERROR', message });
  }
}

if (process.argv[1] === SCRIPT && process.argv[2] === 'citizen') {
  process.once('disconnect', () => process.exit());
  process.on('message', (order: Order) => void obey(order));
  process.send?.({ value: 'ready' });
}
