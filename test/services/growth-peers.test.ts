// Memory that grows among processes: several subscribers of all manners, workers, kill -9 of either side, too few descriptors.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Node, type ServiceOptions } from 'sealane';
import type { GrowthPeer } from './growth-peer.test.helper.js';
import { holdersOf, holdings, slotInodes } from './kernel.test.helper.js';
import { until } from './nodes.test.helper.js';
import { between, fillPayload, payloadProblem, randomFrom } from './payload.test.helper.js';

const script = fileURLToPath(new URL('growth-peer.test.helper.js', import.meta.url));
const MAX_BYTES = 300_000;

/** A peer that says lines. */
interface Peer {
  line(): Promise<string>;
  kill(): Promise<void>;
}

class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  readonly seed = Math.floor(Math.random() * 2 ** 31);
  readonly #ends: (() => unknown)[] = [];
  #peers = 0;

  constructor(t: TestContext) {
    t.diagnostic(`seed ${this.seed}`);
    t.after(() => this.#end());
  }

  async #end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  plan(plan: Partial<GrowthPeer>): GrowthPeer {
    const own = { directory: this.directory, seed: this.seed + this.#peers++, count: 400, overflow: false };
    return { role: 'receive', ...own, ...plan };
  }

  /** A process that plays the role; `wrapper` runs it. */
  peer(plan: Partial<GrowthPeer>, wrapper: readonly string[] = [], user: object = {}): Peer {
    const [command = '', ...words] = [...wrapper, process.execPath, script, JSON.stringify(this.plan(plan))];
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'], ...user });
    this.#ends.push(() => kill(child));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { line: () => nextLine(lines), kill: () => kill(child) };
  }

  worker(plan: Partial<GrowthPeer>): Peer {
    const worker = new Worker(script, { workerData: this.plan(plan) });
    const end = async () => void (await worker.terminate());
    this.#ends.push(end);
    const lines = messagesOf(worker);
    return { line: () => nextLine(lines), kill: end };
  }

  async service(settings: ServiceOptions = {}) {
    const node = await Node.create({ name: 'test', directory: this.directory });
    this.#ends.push(() => node.close());
    return await node.service('growing').publishSubscribe({
      ...{
        payload: 'growing',
        maxBytes: MAX_BYTES,
        overflow: false,
        bufferSize: 4,
        maxBorrowed: 3,
        history: 2,
      },
      ...settings,
    });
  }
}

async function* messagesOf(worker: Worker): AsyncGenerator<string> {
  const lines: string[] = [];
  let wake: () => void = () => undefined;
  worker.on('message', (line: string) => {
    lines.push(line);
    wake();
  });
  for (;;) {
    for (const line of lines.splice(0)) yield line;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (lines.length > 0) resolve();
    });
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error('the peer ended before it said another line');
  return value;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test('subscribers of all manners get every sample whole while the memory grows, and late ones from then on', async (t) => {
  const stage = new Stage(t);
  const manners = ['loop', 'block', 'slow', 'hold'] as const;
  const receivers = [...manners.map((manner) => stage.peer({ manner })), stage.worker({ manner: 'block' })];
  await Promise.all(receivers.map((one) => one.line()));
  const sender = stage.peer({ role: 'send' });
  await sender.line();
  receivers.push(stage.peer({ manner: 'hold' }));
  await receivers.at(-1)?.line();
  for (const one of receivers) assert.equal(await one.line(), 'done, 0 missed');
  assert.equal(await sender.line(), 'sent 400');
});

test('a publisher in a worker grows as any other', async (t) => {
  const stage = new Stage(t);
  const receiver = stage.peer({ manner: 'loop' });
  await receiver.line();
  const sender = stage.worker({ role: 'send' });
  await sender.line();
  assert.equal(await receiver.line(), 'done, 0 missed');
  assert.equal(await sender.line(), 'sent 400');
});

test('publishers that are killed while they grow leave whole samples, and no memory', async (t) => {
  const stage = new Stage(t);
  const random = randomFrom(stage.seed);
  const subscriber = await (await stage.service()).subscriber();
  const before = holdings();
  let received = 0;
  for (let round = 0; round < 12; round++) {
    const sender = stage.peer({ role: 'send', count: 1_000_000 });
    await sender.line();
    const dies = pause(between(random, 0, 60)).then(() => sender.kill());
    let last = 0;
    const take = () => {
      for (const sample of subscriber.receiveBatch(2)) {
        const { sequence } = sample.header;
        assert.ok(last === 0 || sequence === last + 1, `after ${last} came ${sequence}`);
        assert.equal(payloadProblem(sample.bytes, sequence), undefined);
        last = sequence;
        received += 1;
        sample.release();
      }
      return subscriber.figures.publishers.length === 0;
    };
    await until(take);
    await dies;
    take();
    await until(() => take() && JSON.stringify(holdings()) === JSON.stringify(before));
  }
  assert.ok(received > 0);
});

test('subscribers that are killed while the memory grows give back all that they had', async (t) => {
  const stage = new Stage(t);
  const random = randomFrom(stage.seed);
  const service = await stage.service({ overflow: true });
  const publisher = await service.publisher({ strategy: 'bestFit', maxSegments: 16 });
  const before = holdings();
  const inodes = new Set<number>();
  let sequence = 0;
  for (let round = 0; round < 8; round++) {
    const receiver = stage.peer({ manner: 'hold', count: 1e9, overflow: true });
    await receiver.line();
    await publisher.connected();
    const lifetime = pause(between(random, 5, 60), true);
    for (
      let lives: unknown = false;
      lives !== true;
      lives = await Promise.race([lifetime, pause(0, false)])
    ) {
      using loan = publisher.loan(Math.min(MAX_BYTES, 16 + 700 * ++sequence));
      fillPayload(loan.bytes, 1, sequence);
      loan.send();
      for (const inode of slotInodes()) inodes.add(inode);
    }
    await receiver.kill();
    await until(() => publisher.figures.subscribers.length === 0);
  }
  // Two samples of the history, and the newest segment.
  publisher.sendCopy(new Uint8Array(MAX_BYTES));
  publisher.sendCopy(new Uint8Array(MAX_BYTES));
  await until(() => publisher.figures.segments === 1);
  assert.equal(publisher.figures.usedSlots, 2);
  await until(() => JSON.stringify(holdings()) === JSON.stringify(before));
  for (const inode of slotInodes()) inodes.delete(inode);
  assert.ok(inodes.size > 5);
  assert.deepEqual(holdersOf(inodes), [], 'nobody has the memory of old segments');
});

test('a subscriber without a descriptor for another segment is told so, and goes on once it has some', async (t) => {
  const stage = new Stage(t);
  const publisher = await (await stage.service()).publisher();
  const peer = stage.peer({ role: 'starve' }, ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh']);
  assert.equal(await peer.line(), 'starved');
  using loan = publisher.loan(100_000);
  fillPayload(loan.bytes, 1, 1);
  assert.equal(loan.send(), 1);
  assert.equal(await peer.line(), 'ERR_SEALANE_EXHAUSTED');
  assert.equal(await peer.line(), 'connected');
  assert.equal(await peer.line(), 'received');
});

for (const overflow of [true, false])
  test(`where this user may have no more descriptors under way, a subscriber is as full ${overflow ? 'with' : 'without'} overflow`, async (t) => {
    const stage = new Stage(t);
    // The count is by user and root is exempt, so root becomes a user that nothing else runs as.
    const id = 20_000 + (process.pid % 40_000);
    const user = process.geteuid?.() === 0 ? { uid: id, gid: id } : {};
    const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    chmodSync(directory, 0o777);
    const wrapper = ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'];
    const peer = stage.peer({ role: 'crowd', directory: join(directory, 'own'), overflow }, wrapper, user);
    const expected = overflow
      ? [0, 1, 0, 1, 0, 1]
      : [0, 1, 'ERR_SEALANE_SUBSCRIBER_FULL', 1, 'ERR_SEALANE_SUBSCRIBER_FULL', 1, 1];
    assert.deepEqual(JSON.parse(await peer.line()), expected);
  });
