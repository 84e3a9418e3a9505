// Reports to a service manager, received by a real datagram socket.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Broker } from 'sealane';
import { Notifier } from 'sealane/internal';
import { folderOf, NO_COMPILER, Receiver, type Report } from './service.test.helper.js';
import { Supervisor } from './supervisor.js';

const supervised = { describe: () => 'well', probe: async () => undefined };

function unexpected(message: string): void {
  assert.fail(`nobody should be warned: ${message}`);
}

test('a report arrives line by line, at a path and at an abstract address, with the sender as the kernel knows it', async (t) => {
  for (const address of [join(folderOf(t), 'notify'), `@sealane-test-${process.pid}`]) {
    const receiver = await Receiver.start(t, address);
    if (receiver === undefined) return t.skip(NO_COMPILER);
    assert.equal(new Notifier(address).tell({ READY: 1, STATUS: 'a=b c' }), true);
    assert.deepEqual(await receiver.next(), { pid: process.pid, state: { READY: '1', STATUS: 'a=b c' } });
  }
});

test('what does not fit the queue of the service manager is not waited for, and readiness is told when there is room', async (t) => {
  const address = join(folderOf(t), 'notify');
  const receiver = await Receiver.start(t, address, true);
  if (receiver === undefined) return t.skip(NO_COMPILER);
  const notifier = new Notifier(address);
  while (notifier.tell({ FILL: 1 }));
  using supervisor = new Supervisor(address, unexpected);
  supervisor.ready(supervised, undefined);
  receiver.release();
  assert.deepEqual(await receiver.nextWith('READY'), { READY: '1', STATUS: 'well' });
});

test('signs of life follow each other while requests are served, and stop with the service', async (t) => {
  const address = join(folderOf(t), 'notify');
  const receiver = await Receiver.start(t, address);
  if (receiver === undefined) return t.skip(NO_COMPILER);
  await using broker = await Broker.start({ socket: join(folderOf(t), 'broker.sock') });
  using supervisor = new Supervisor(address, unexpected);
  supervisor.ready({ describe: () => 'well', probe: () => broker.probe() }, 40);
  await receiver.nextWith('READY');
  for (let count = 0; count < 3; count++) assert.deepEqual((await receiver.next()).state, { WATCHDOG: '1' });
  supervisor.stopping();
  assert.equal((await receiver.nextWith('STOPPING')).STATUS, 'Stopping');
});

test('a broker that does not serve gives no sign of life, and the reason is told', async (t) => {
  const address = join(folderOf(t), 'notify');
  const receiver = await Receiver.start(t, address);
  if (receiver === undefined) return t.skip(NO_COMPILER);
  const broker = await Broker.start({ socket: join(folderOf(t), 'broker.sock') });
  await broker.stop();
  using supervisor = new Supervisor(address, unexpected);
  supervisor.ready({ describe: () => 'well', probe: () => broker.probe() }, 40);
  await receiver.nextWith('READY');
  for (let count = 0; count < 3; count++) {
    const report: Report = await receiver.next();
    assert.deepEqual(Object.keys(report.state), ['STATUS']);
    assert.match(report.state.STATUS ?? '', /^Not serving: .*the broker is closed/);
  }
});

test('while an answer is due there is no second question and no sign of life', async (t) => {
  const address = join(folderOf(t), 'notify');
  const receiver = await Receiver.start(t, address);
  if (receiver === undefined) return t.skip(NO_COMPILER);
  let asked = 0;
  let answer: () => void = () => undefined;
  const probe = () => {
    asked++;
    return new Promise<void>((resolve) => {
      answer = resolve;
    });
  };
  using supervisor = new Supervisor(address, unexpected);
  supervisor.ready({ describe: () => 'well', probe }, 2);
  await receiver.nextWith('READY');
  // Timers of one length fire in the order in which they were set: many ticks of the watchdog have passed by then.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(asked, 1);
  answer();
  assert.deepEqual((await receiver.next()).state, { WATCHDOG: '1' });
});

test('a reload is told from its beginning to its end, also when it fails', async (t) => {
  const address = join(folderOf(t), 'notify');
  const receiver = await Receiver.start(t, address);
  if (receiver === undefined) return t.skip(NO_COMPILER);
  using supervisor = new Supervisor(address, unexpected);
  supervisor.ready(supervised, undefined);
  await receiver.nextWith('READY');
  const before = process.hrtime.bigint() / 1_000n;
  await assert.rejects(
    supervisor.reloading(() => Promise.reject(new Error('no'))),
    /no/,
  );
  const { RELOADING, MONOTONIC_USEC } = (await receiver.next()).state;
  assert.equal(RELOADING, '1');
  assert.ok(BigInt(MONOTONIC_USEC ?? 0) >= before);
  assert.deepEqual((await receiver.next()).state, { READY: '1', STATUS: 'well' });
});

test('without a service manager nothing is reported, and reloading still reloads', async () => {
  using supervisor = new Supervisor(undefined, unexpected);
  supervisor.ready(supervised, 10);
  let reloaded = false;
  await supervisor.reloading(async () => {
    reloaded = true;
  });
  supervisor.stopping();
  assert.ok(reloaded);
});

test('a service manager that can not be told is said once, and stops nothing', async (t) => {
  for (const address of [join(folderOf(t), 'missing'), 'vsock:2:1']) {
    const warnings: string[] = [];
    using supervisor = new Supervisor(address, (message) => warnings.push(message));
    supervisor.ready(supervised, undefined);
    await supervisor.reloading(async () => undefined);
    supervisor.stopping();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /service manager.*; it won't know how the broker is$/);
  }
});
