// The descriptor of a listener in a foreign poll loop: whoever polls it, then receives until nothing is left, misses nothing, and sleeps
// while nothing comes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listener } from 'sealane';
import { Readiness } from 'sealane/internal';
import { Stage } from './nodes.test.helper.js';

const script = 'event-peer.test.helper.js';

/** Receives until nothing is left; returns how often all ids were notified. */
function takeAll(listener: Listener): number {
  let sum = 0;
  for (let notice = listener.receive(); notice !== undefined; notice = listener.receive())
    if (notice.type === 'event') sum += notice.count;
  return sum;
}

for (const [what, take] of [
  ['receives', takeAll],
  ['drains', (listener: Listener) => drainAll(listener)],
] as const)
  test(`a poll loop that ${what} misses nothing, without a turn of the event loop`, async (t) => {
    const stage = new Stage(t);
    const service = await (await stage.node()).service('x').event();
    const listener = await service.listener();
    using foreign = Readiness.open();
    foreign.add(listener.fd, 1);
    const peer = stage.peer('notifyMany', { script, count: 20_000 });
    await peer.line();
    let polls = 0;
    for (let sum = take(listener); sum < 20_000; sum += take(listener)) {
      // For ever, should a wake-up be lost: the watchdog of the test run ends that.
      while (foreign.poll(100) === 0);
      polls += 1;
    }
    assert.ok(polls > 1, 'it slept in between');
    assert.equal(await peer.line(), 'done');
  });

function drainAll(listener: Listener): number {
  let sum = 0;
  while (
    listener.drain((_id, count) => {
      sum += count;
    }) > 0
  );
  return sum;
}

test('the descriptor is quiet once everything was received, and ready when something comes', async (t) => {
  const stage = new Stage(t);
  const service = await (await stage.node()).service('x').event();
  const notifier = await service.notifier();
  const listener = await (await (await stage.node()).service('x').event()).listener();
  await notifier.connected();
  await listener.connected();
  using foreign = Readiness.open();
  foreign.add(listener.fd, 1);
  for (let round = 0; round < 50; round++) {
    takeAll(listener);
    // What else the node has to serve takes a look or two.
    let looks = 0;
    while (foreign.poll(0) > 0) {
      takeAll(listener);
      looks += 1;
      assert.ok(looks < 100, 'the descriptor is never quiet');
    }
    for (let times = 0; times <= round % 3; times++) notifier.notify(round);
    assert.equal(foreign.poll(100), 1);
    assert.equal(takeAll(listener), 1 + (round % 3));
  }
});
