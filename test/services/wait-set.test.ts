// A thread that does nothing but wait in a WaitSet: peers in other processes come, send, stop and are killed meanwhile. And the program
// of the documentation, run.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type PubSubService, type Subscriber, WaitSet } from 'sealane';
import { asModule, programs } from '../helpers/programs.js';
import { bytesOf, joined, ownDescriptors, Stage, text, texts, until } from './nodes.test.helper.js';
import { Stage as HonestPair } from './stage.test.helper.js';

/** Sends a signal in a moment, when this thread is blocked. */
function signalLater(pid: number, signal: string): ReturnType<typeof spawn> {
  return spawn('sh', ['-c', 'sleep 0.3; kill -s "$1" "$2"', 'sh', signal, String(pid)], { stdio: 'ignore' });
}

/** How often this thread has gone to sleep. */
function sleeps(): number {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

/** Services in nodes of their own, with a subscriber each. */
async function subscribers(stage: Stage, names: readonly string[], settings = {}) {
  const services: PubSubService[] = [];
  for (const name of names) services.push(await stage.service(settings, name));
  return await Promise.all(services.map((service) => service.subscriber()));
}

test('publishers of other processes connect to subscribers of several nodes, and all samples come, in a thread that only waits', async (t) => {
  const stage = new Stage(t);
  const [names, settings, count] = [['x', 'y', 'z'], { overflow: false }, 200];
  const ports = await subscribers(stage, names, settings);
  const peers = names.map((service) => stage.peer('sendMany', { service, settings, count }));
  using set = new WaitSet();
  const received = new Map(
    ports.map((port) => [set.attach(port, { name: `port ${port.port}` }), { port, texts: [] as string[] }]),
  );
  let left = names.length * count;
  set.run(({ type, attachment }) => {
    assert.equal(type, 'port');
    const got = received.get(attachment);
    const words = texts(got?.port as Subscriber);
    got?.texts.push(...words);
    left -= words.length;
    if (left === 0) set.stop();
  });
  const expected = Array.from({ length: count }, (_, index) => String(index + 1));
  for (const got of received.values()) assert.deepEqual(got.texts, expected);
  for (const peer of peers) assert.deepEqual([await peer.line(), await peer.line()].at(1), 'sent');
});

test('a peer of another process is admitted by a node whose thread only waits', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const [publisher, own] = [await service.publisher(), await service.subscriber()];
  await joined([publisher], [own]);
  const peer = stage.peer('subscribe');
  using set = new WaitSet();
  set.attach(own);
  const interval = set.attachInterval(20);
  set.run(({ attachment }) => {
    assert.equal(attachment, interval);
    if (publisher.figures.subscribers.length === 2) set.stop();
  });
  publisher.sendCopy(bytesOf('hello'));
  assert.deepEqual([set.wait().length, text(own.receive())], [1, 'hello']);
  await peer.line();
  peer.tell('next');
  assert.equal(await peer.line(), 'hello');
});

test('a publisher that is killed is noticed while the thread waits; what it sent comes, and the others go on', async (t) => {
  const stage = new Stage(t);
  const [subscriber] = await subscribers(stage, ['x']);
  assert.ok(subscriber);
  const before = ownDescriptors();
  const peers = [stage.peer('publish'), stage.peer('publish')] as const;
  for (const peer of peers) await peer.line();
  await subscriber.connected(2);
  peers[0].tell('last words');
  assert.equal(await peers[0].line(), '1');
  using set = new WaitSet();
  set.attachDeadline(subscriber, 20);
  const killer = signalLater(peers[0].pid, 'KILL');
  const seen = new Set<string>();
  set.run(({ type }) => {
    seen.add(type);
    if (subscriber.figures.publishers.length === 1) set.stop();
  });
  assert.ok(seen.has('port') && !seen.has('closed'), [...seen].join());
  assert.equal(text(subscriber.receive()), 'last words');
  peers[1].tell('still here');
  while (set.wait()[0]?.type !== 'port');
  assert.equal(text(subscriber.receive()), 'still here');
  await once(killer, 'exit');
  await peers[1].kill();
  while (subscriber.figures.publishers.length > 0) set.wait({ timeoutMs: 20 });
  set.close();
  await until(() => ownDescriptors().length === before.length);
  assert.deepEqual(ownDescriptors(), before);
});

test('a stopped publisher holds nobody up, is waited for without a sleep more, and comes when it goes on', async (t) => {
  const stage = new Stage(t);
  const [first, second] = await subscribers(stage, ['x', 'y']);
  assert.ok(first && second);
  const stopped = stage.peer('publish');
  const other = stage.peer('publish', { service: 'y' });
  for (const peer of [stopped, other]) await peer.line();
  await Promise.all([first.connected(), second.connected()]);
  process.kill(stopped.pid, 'SIGSTOP');
  stopped.tell('late');
  // One that it can't admit: it is not even connected.
  const third = await (await stage.service()).subscriber();
  using set = new WaitSet();
  const [one, two] = [set.attach(first), set.attach(second)];
  set.attach(third);
  other.tell('in time');
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: two, unread: false }]);
  assert.equal(text(second.receive()), 'in time');
  const before = sleeps();
  assert.deepEqual(set.wait({ timeoutMs: 1_000 }), []);
  assert.ok(sleeps() - before <= 40, `${sleeps() - before} sleeps`);
  const waker = signalLater(stopped.pid, 'CONT');
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: one, unread: false }]);
  assert.equal(text(first.receive()), 'late');
  while (third.figures.publishers.length === 0) set.wait({ timeoutMs: 20 });
  await once(waker, 'exit');
});

test('a publisher at full speed does not wake the thread more than ten times a second for what it leaves unread', async (t) => {
  const stage = new Stage(t);
  const [subscriber] = await subscribers(stage, ['x']);
  assert.ok(subscriber);
  const stop = stage.flag('stop');
  const peer = stage.peer('flood', { stop: stop.path });
  await peer.line();
  using set = new WaitSet();
  const attached = set.attach(subscriber);
  assert.deepEqual(set.wait(), [{ type: 'port', attachment: attached, unread: false }]);
  const [before, until] = [sleeps(), performance.now() + 1_000];
  let reports = 0;
  for (let leftMs = 1_000; leftMs > 0; leftMs = until - performance.now()) {
    for (const report of set.wait({ timeoutMs: leftMs })) {
      assert.deepEqual(report, { type: 'port', attachment: attached, unread: true });
      reports += 1;
    }
  }
  assert.ok(reports > 0 && reports <= 10, `${reports} reports`);
  assert.ok(sleeps() - before <= 60, `${sleeps() - before} sleeps`);
  stop.raise();
  while ((await peer.line()) !== 'stopped');
});

test('a worker that waits for a publisher of another process is terminated, and its descriptors are closed', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.publisher();
  const before = ownDescriptors();
  for (let count = 0; count < 3; count++) {
    const peer = stage.worker('waitInSet');
    const node = await peer.line();
    await publisher.connected();
    publisher.sendCopy(bytesOf('hello'));
    assert.equal(await peer.line(), 'hello');
    await peer.worker.terminate();
    await until(() => publisher.figures.subscribers.length === 0 && stage.filesOf(node).length === 0);
  }
  await until(() => ownDescriptors().length === before.length);
});

test('publishers that write random values over what they share do not keep a set from what an honest one sends', async (t) => {
  const stage = await HonestPair.make(t);
  const script = fileURLToPath(new URL('./vandal-publisher.test.helper.js', import.meta.url));
  let thrownOut = 0;
  const vandals = ['1', '2'].map((seed) =>
    spawn(process.execPath, [script, stage.directory, seed], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }).on('message', () => {
      thrownOut += 1;
    }),
  );
  t.after(() => {
    for (const vandal of vandals) vandal.kill('SIGKILL');
  });
  using set = new WaitSet();
  set.attach(stage.subscriber);
  while (thrownOut < 10) {
    stage.publisher.sendCopy(new Uint8Array(8));
    while (!takeAll(set, stage)) await turn();
    await turn();
  }
  // Before the node that they connect to: they do not expect its end.
  for (const vandal of vandals) {
    const ended = once(vandal, 'exit');
    vandal.kill('SIGKILL');
    await ended;
  }
});

/** Whether a sample of the honest publisher is among those that are there now. */
function takeAll(set: WaitSet, { subscriber, publisherNode }: HonestPair): boolean {
  let honest = false;
  for (const { type } of set.wait()) assert.equal(type, 'port');
  for (let sample = subscriber.receive(); sample !== undefined; sample = subscriber.receive()) {
    honest ||= sample.header.node === publisherNode.id;
    sample.release();
  }
  return honest;
}

/** The first program of the page that waits in a set, compiled. */
function compiledProgram(t: TestContext): string {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
  const folder = mkdtempSync(join(root, 'test', 'dist', 'wait-set-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = programs('docs/services.md').find(({ code }) => code.includes('new WaitSet'));
  assert.ok(program);
  writeFileSync(join(folder, 'program.ts'), asModule(program.code));
  const compilerOptions = { composite: false, incremental: false, noUnusedLocals: false, sourceMap: false };
  const options = { extends: '../../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  return join(folder, 'program.js');
}

test('the program of the documentation reports samples, their absence and intervals, until it is told to stop', async (t) => {
  const stage = new Stage(t);
  const settings = { maxBytes: 8 << 20 };
  const front = await (await stage.service(settings, 'camera/front')).publisher();
  const back = await (await stage.service(settings, 'camera/back')).publisher();
  const env = { ...process.env, SEALANE_DIR: stage.directory };
  const child = spawn(process.execPath, [compiledProgram(t)], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const expectLine = async (pattern: RegExp) => {
    for (let line = await lines.next(); !pattern.test(line.value); line = await lines.next())
      assert.ok(!line.done, `it ended without ${pattern}`);
  };
  await Promise.all([front.connected(), back.connected()]);
  front.sendCopy(bytesOf('abc'));
  await expectLine(/^front: 3 bytes$/);
  back.sendCopy(bytesOf('de'));
  await expectLine(/^back: 2 bytes$/);
  await expectLine(/^front: nothing for \d+ ms$/);
  await expectLine(/^2 cameras so far$/);
  const ended = once(child, 'exit');
  child.stdin.write('stop\n');
  assert.deepEqual(await ended, [0, null]);
});
