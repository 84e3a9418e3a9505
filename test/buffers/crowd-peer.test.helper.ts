// A process of the tests of buffers, whose user may have few descriptors: it has none left under way, or none at all. It says what happens in lines.
import { closeSync, openSync, writeSync } from 'node:fs';
import { type BufferSubscriber, isSealaneError, Node } from 'sealane';
import { disposeDescriptors, UnixSocket } from 'sealane/internal';
import type { PeerOptions } from '../services/nodes.test.helper.js';
import { checkMarked, type Mark, marksOpen, sendMarked } from './marks.test.helper.js';

const options: PeerOptions = JSON.parse(process.argv[2] ?? '{}');
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500).unref();

const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function open() {
  const node = await Node.create({ name: options.role, directory: options.directory });
  return await node.service(options.service).publishSubscribe(options.settings ?? {});
}

/** What a call gives, or the code of its error. */
function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (!isSealaneError(error)) throw error;
    return error.code;
  }
}

/** Packets with descriptors that nobody receives, as many as the kernel allows this user. */
class Crowd {
  readonly #sockets: [UnixSocket, UnixSocket][] = [];

  constructor() {
    this.fill();
  }

  fill(): void {
    for (let result = 'sent'; result !== 'in-flight'; ) {
      const [one, other] = UnixSocket.pair();
      this.#sockets.push([one, other]);
      do result = one.send(Uint8Array.of(1), [0, 0, 0, 0, 0]);
      while (result === 'sent');
    }
  }

  /** Receives one packet of them: there is room for one more, of whatever number. */
  receiveOne(): void {
    const packet = this.#sockets[0]?.[1].receive(new Uint8Array(1));
    if (typeof packet === 'object') disposeDescriptors(packet.descriptors);
  }

  end(): void {
    for (const pair of this.#sockets.splice(0)) for (const socket of pair) socket.close();
  }
}

/** A subscriber's frames: the tokens that came, and those that were told of as lost. */
class Tally {
  readonly got: number[] = [];
  readonly lost: number[] = [];

  constructor(private readonly subscriber: BufferSubscriber<Mark>) {}

  /** Takes all that is there. */
  drain(): void {
    for (;;) {
      using frame = this.subscriber.receive();
      if (frame === undefined) return;
      checkMarked(frame);
      this.got.push(frame.token);
      for (let token = frame.lost?.first ?? 1; token <= (frame.lost?.last ?? 0); token++)
        this.lost.push(token);
    }
  }

  toJSON() {
    return { got: this.got, lost: this.lost };
  }
}

const mark = (frame: number): Mark => ({ sender: 1, frame, planes: 2 });

/** Two subscribers, of which the kernel lets one have the descriptors of a frame. */
async function midway(): Promise<void> {
  const service = await open();
  const publisher = await service.bufferPublisher<Mark>({ whenFull: options.whenFull as 'fail' });
  const subscribers = [await service.bufferSubscriber<Mark>(), await service.bufferSubscriber<Mark>()];
  await publisher.connected(2);
  for (const subscriber of subscribers) await subscriber.connected();
  const tallies = subscribers.map((subscriber) => new Tally(subscriber));
  const send = () => codeOf(() => sendMarked(publisher, mark(publisher.figures.sent + 1)));
  const before = send();
  const crowd = new Crowd();
  crowd.receiveOne();
  const during = send();
  const { sent } = publisher.figures;
  crowd.end();
  for (let reached: unknown = 0; reached !== 2; reached = send()) {
    for (const tally of tallies) tally.drain();
    await turn();
  }
  for (const tally of tallies) tally.drain();
  while (marksOpen() > 0) await turn();
  say({ before, during, sent, tallies, tokens: publisher.figures.sent });
  process.exit();
}

/** A frame waits on the event loop until others have received what is under way. */
async function waiting(): Promise<void> {
  const service = await open();
  const publisher = await service.bufferPublisher<Mark>({ whenFull: 'wait' });
  const subscriber = await service.bufferSubscriber<Mark>({ allow: 'any' });
  await publisher.connected();
  await subscriber.connected();
  const crowd = new Crowd();
  let sent = 0;
  const sending = publisher.sendAsync({ sender: 1, frame: 1, planes: 0 }, 0).then((reached) => {
    sent = reached;
  });
  for (let turns = 0; turns < 50; turns++) await turn();
  const during = [sent, codeOf(() => sendMarked(publisher, mark(2)))];
  crowd.end();
  await sending;
  using frame = subscriber.receive();
  say({ during, sent, token: frame?.token, descriptors: frame?.descriptors.length });
  process.exit();
}

/** Opens files until this process may have no more; returns what closes some, and what closes all. */
function hoard(): { free(count: number): void } {
  const files: number[] = [];
  try {
    for (;;) files.push(openSync('/dev/null', 'r'));
  } catch {
    return {
      free(count) {
        for (const fd of files.splice(0, count)) closeSync(fd);
      },
    };
  }
}

/** Whether this process may have another descriptor. */
function canOpen(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** A publisher without a descriptor left. */
async function poorPublisher(): Promise<void> {
  const service = await open();
  const publisher = await service.bufferPublisher<Mark>();
  const subscriber = await service.bufferSubscriber<Mark>({ allow: 'any' });
  await publisher.connected();
  await subscriber.connected();
  const files = hoard();
  files.free(1);
  // Two descriptors are to be duplicated, and there is room for one.
  const during = codeOf(() => publisher.send(mark(1), [0, 0]));
  const pool = await service.bufferPool([0, 0, 0]).catch((error: { code: string }) => error.code);
  const { sent, loaned } = publisher.figures;
  // What was duplicated is closed on another thread; then the one that was free is free again.
  while (!canOpen()) await turn();
  files.free(Number.POSITIVE_INFINITY);
  const after = codeOf(() => publisher.send({ sender: 1, frame: 1, planes: 0 }, [0, 0]));
  using frame = subscriber.receive();
  say({ during, pool, sent, loaned, after, token: frame?.token });
  process.exit();
}

/** A subscriber without a descriptor left, that is told when to look and when to have some again. */
async function poorSubscriber(): Promise<void> {
  const subscriber = await (await open()).bufferSubscriber<Mark>({ allow: 'any' });
  await subscriber.connected();
  const files = hoard();
  files.free(1);
  say('connected');
  const tell = async () => {
    for (;;) {
      try {
        const frame = await subscriber.next();
        const told = { token: frame.token, lost: frame.lost, descriptors: frame.descriptors.length };
        frame.release();
        return told;
      } catch (error) {
        if (!isSealaneError(error)) throw error;
        return { code: error.code, token: error.sequence };
      }
    }
  };
  for (let round = 0; round < Number(options.rounds); round++) say(await tell());
  files.free(Number.POSITIVE_INFINITY);
  say('rich');
  for (;;) say(await tell());
}

const roles = { midway, waiting, poorPublisher, poorSubscriber };
await roles[options.role as keyof typeof roles]();
