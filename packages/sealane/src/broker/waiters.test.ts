/** Parked gets and the kinds of watches, without a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { NamePattern } from '../wire/index.js';
import { Mailbox, type Subscriber } from './mailbox.js';
import type { ObjectDraft, StoredObject } from './object.js';
import { callerOf, TestStore } from './store.test.helper.js';
import {
  EveryVersion,
  NewestOfName,
  NewestOfPattern,
  ParkedGet,
  type WaitRoom,
  type Watch,
} from './waiters.js';
import { Watches } from './watches.js';
import { FairWork, WorkLane } from './work.js';

/** A store whose puts are announced. */
class Room implements WaitRoom {
  readonly made = new TestStore();
  readonly store = this.made.store;
  readonly work = new FairWork();
  readonly watches = new Watches();

  put(name: string, fields: Partial<ObjectDraft> = {}, uid = 1): StoredObject {
    const object = this.made.put(uid, name, fields);
    this.watches.announce(object);
    return object;
  }

  /** A connection of user 1. */
  caller(job?: string, maxInbox = 1_024): Subscriber {
    return { ...callerOf(1, job), mailbox: new Mailbox(1, new WorkLane(1), this.work, maxInbox) };
  }
}

/** Asks a watch and notes the ids that it delivers. */
class Consumer {
  readonly ids: number[] = [];
  readonly errors: unknown[] = [];

  constructor(readonly watch: Watch) {}

  ask(): this {
    this.watch.ask({
      deliver: (object) => this.ids.push(object.id),
      fail: (error) => this.errors.push(error),
    });
    return this;
  }

  /** Takes all that is there now. */
  drain(): number[] {
    const before = this.ids.length;
    while (!this.watch.asked) this.ask();
    return this.ids.slice(before);
  }
}

test('a parked get is answered by the next object of its name that it may see', () => {
  const room = new Room();
  const got: number[] = [];
  new ParkedGet(room, room.caller('beta'), 'a', {
    deliver: (object) => got.push(object.id),
    fail: () => assert.fail(),
  });
  room.put('b');
  room.put('a', {}, 2);
  room.put('a', { owner: 'alpha' });
  assert.deepEqual(got, []);
  const visible = room.put('a', { owner: 'alpha', allowed: ['beta'] });
  room.put('a');
  assert.deepEqual(got, [visible.id]);
});

test('a watch of a name yields what is there, and then skips to the newest', () => {
  const room = new Room();
  const first = room.put('a');
  const consumer = new Consumer(new NewestOfName(room, room.caller(), 'a', true));
  assert.deepEqual(consumer.drain(), [first.id]);
  assert.deepEqual(consumer.ids.length, 1);
  const second = room.put('a');
  room.put('a');
  const fourth = room.put('a');
  assert.deepEqual(consumer.ids, [first.id, second.id]);
  consumer.ask();
  assert.deepEqual(consumer.ids, [first.id, second.id, fourth.id]);
});

test('a watch of a name does not go back to a version that a drop uncovers', () => {
  const room = new Room();
  room.put('a');
  const second = room.put('a');
  const consumer = new Consumer(new NewestOfName(room, room.caller(), 'a', true));
  assert.deepEqual(consumer.drain(), [second.id]);
  room.store.drop(second);
  const third = room.put('a');
  assert.deepEqual(consumer.ids, [second.id, third.id]);
});

test('without existing, a watch of a name begins after what is there', () => {
  const room = new Room();
  room.put('a');
  const consumer = new Consumer(new NewestOfName(room, room.caller(), 'a', false)).ask();
  assert.deepEqual(consumer.ids, []);
  const second = room.put('a');
  assert.deepEqual(consumer.ids, [second.id]);
});

test('a watch of a pattern yields the newest of each matching name in the order of ids', () => {
  const room = new Room();
  room.put('a/1');
  const two = room.put('a/2');
  room.put('b/1');
  const one = room.put('a/1');
  const consumer = new Consumer(new NewestOfPattern(room, room.caller(), new NamePattern('a/*'), true));
  assert.deepEqual(consumer.drain(), [two.id, one.id]);
  room.put('b/2');
  assert.equal(consumer.ids.length, 2);
  const three = room.put('a/3');
  room.put('a/4');
  const four = room.put('a/4');
  assert.deepEqual(consumer.drain(), [four.id]);
  assert.deepEqual(consumer.ids.slice(2), [three.id, four.id]);
});

test('a watch of a pattern sees only what its job may see', () => {
  const room = new Room();
  const caller = room.caller('beta');
  room.put('a/1', { owner: 'alpha' });
  const consumer = new Consumer(new NewestOfPattern(room, caller, new NamePattern('*'), true));
  assert.deepEqual(consumer.drain(), []);
  const own = room.put('a/2', { owner: 'beta' });
  room.put('a/3', { owner: 'alpha' });
  room.put('a/4', {}, 2);
  assert.deepEqual(consumer.drain(), []);
  assert.deepEqual(consumer.ids, [own.id]);
});

test('every version of a name is yielded, also those that are dropped before their turn', () => {
  const room = new Room();
  room.put('a');
  const newest = room.put('a');
  const consumer = new Consumer(new EveryVersion(room, room.caller(), 'a', true, 10));
  const later = [room.put('a'), room.put('a'), room.put('a')];
  for (const object of later) room.store.drop(object);
  assert.deepEqual(room.made.closed, []);
  assert.deepEqual(consumer.drain(), [newest.id, ...later.map((object) => object.id)]);
  assert.equal(room.made.closed.length, 3);
});

test('every version of a pattern is yielded after what was there, in order', () => {
  const room = new Room();
  const before = [room.put('a/1'), room.put('a/2')];
  const consumer = new Consumer(new EveryVersion(room, room.caller(), new NamePattern('a/*'), true, 10));
  const later = [room.put('a/3'), room.put('b'), room.put('a/3')];
  const expected = [...before, later[0], later[2]].map((object) => object?.id);
  assert.deepEqual(consumer.drain(), expected);
});

test('a consumer that falls behind the queue loses the watch and is told so', () => {
  const room = new Room();
  const consumer = new Consumer(new EveryVersion(room, room.caller(), 'a', false, 3));
  const objects = [1, 2, 3, 4].map(() => room.put('a'));
  for (const object of objects) room.store.drop(object);
  assert.equal(room.made.closed.length, 4, 'an overrun watch holds nothing');
  consumer.ask();
  assert(isSealaneError(consumer.errors[0], 'ERR_SEALANE_WATCH_OVERRUN'));
});

test('a closed watch holds nothing, and tells who asked that it was canceled', () => {
  const room = new Room();
  const every = new Consumer(new EveryVersion(room, room.caller(), 'a', false, 10));
  room.store.drop(room.put('a'));
  every.watch.close();
  assert.equal(room.made.closed.length, 1);
  const asked = new Consumer(new NewestOfName(room, room.caller(), 'a', true)).ask();
  asked.watch.close();
  room.put('a');
  assert.deepEqual(asked.ids, []);
  assert(isSealaneError(asked.errors[0], 'ERR_SEALANE_ABORTED'));
});

test('an asker that stops asking is told nothing, and the next one is', () => {
  const room = new Room();
  const consumer = new Consumer(new NewestOfPattern(room, room.caller(), new NamePattern('*'), true)).ask();
  consumer.watch.unask();
  const object = room.put('a');
  assert.deepEqual(consumer.ids, []);
  assert.deepEqual(consumer.drain(), [object.id]);
});

/** Resolves when the event loop has turned until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('a put that wakes thousands is told to all of them, in portions', async () => {
  const room = new Room();
  const consumers = Array.from({ length: 3_000 }, (_, index) =>
    new Consumer(
      index % 2 === 0
        ? new NewestOfName(room, room.caller(), 'a', true)
        : new NewestOfPattern(room, room.caller(), new NamePattern('*'), true),
    ).ask(),
  );
  const object = room.put('a');
  assert(
    consumers.some(({ ids }) => ids.length === 0),
    'all were told at once',
  );
  await until(() => consumers.every(({ ids }) => ids.length > 0));
  assert(consumers.every(({ ids }) => ids[0] === object.id));
});

/** A pattern and names for it that take as long to compare as they can. */
const COSTLY = { pattern: `*b${'a'.repeat(1_000)}*`, name: 'a'.repeat(65_536) };

function costlyWatches(room: Room, connections: number, watches: number): Consumer[] {
  return Array.from({ length: connections }, () => {
    const caller = room.caller();
    return Array.from({ length: watches }, () => {
      const pattern = new NamePattern(COSTLY.pattern);
      return new Consumer(new EveryVersion(room, caller, pattern, false, 1_024)).ask();
    });
  }).flat();
}

test('watches that are costly to match delay no other connection of their user', async () => {
  const room = new Room();
  let matched = 0;
  const { matches } = NamePattern.prototype;
  const counting = function (this: NamePattern, name: string): boolean {
    if (name === COSTLY.name) matched++;
    return matches.call(this, name);
  };
  NamePattern.prototype.matches = counting as typeof matches;
  try {
    const costly = costlyWatches(room, 20, 20);
    for (let count = 0; count < 5; count++) room.put(COSTLY.name);
    const quick = new Consumer(new EveryVersion(room, room.caller(), new NamePattern('q*'), false, 10)).ask();
    const object = room.put('quick');
    await until(() => quick.ids.length > 0);
    assert.deepEqual(quick.ids, [object.id]);
    // 2,000 comparisons were due before: each of 20 connections may have had a turn, of a comparison or two.
    assert(matched < 60, `${matched} costly comparisons came first`);
    for (const { watch } of costly) watch.close();
  } finally {
    NamePattern.prototype.matches = matches;
  }
});

test('a connection whose turns do not suffice for its watches of every version loses those that are behind', async () => {
  const room = new Room();
  const caller = room.caller(undefined, 4);
  const all = new Consumer(new EveryVersion(room, caller, new NamePattern('*x*'), false, 1_024)).ask();
  const named = new Consumer(new EveryVersion(room, caller, 'a', false, 1_024)).ask();
  const newest = new Consumer(new NewestOfName(room, caller, 'a', true)).ask();
  caller.mailbox.lane.balance = -100_000;
  const first = room.put('a');
  for (let count = 0; count < 10; count++) room.put('b');
  assert(isSealaneError(all.errors[0], 'ERR_SEALANE_WATCH_OVERRUN'));
  await until(() => newest.ids.length > 0);
  assert.deepEqual(newest.ids, [first.id]);
  assert(isSealaneError(named.errors[0], 'ERR_SEALANE_WATCH_OVERRUN'), 'it was behind as well');
  assert.equal(room.watches.shed({ uid: 1, shelf: 1 }), false, 'something dropped is kept');
});

test('names that no pattern of a connection begins like crowd nothing out of its inbox', async () => {
  const room = new Room();
  const caller = room.caller(undefined, 4);
  const watches = ['camera/*/left', 'camera/*/right', 'can*'].map((text) =>
    new Consumer(new EveryVersion(room, caller, new NamePattern(text), false, 1_024)).ask(),
  );
  caller.mailbox.lane.balance = -100_000;
  const left = room.put('camera/1/left');
  for (let count = 0; count < 20; count++) room.put('junk');
  watches[2]?.watch.close();
  for (let count = 0; count < 20; count++) room.put('canal');
  const right = room.put('camera/1/right');
  await until(() => room.work.idle);
  assert.deepEqual([watches[0]?.ids, watches[1]?.ids], [[left.id], [right.id]]);
});

test('what waits in a mailbox for nobody any more is let go', async () => {
  const room = new Room();
  const caller = room.caller();
  const watch = new EveryVersion(room, caller, 'a', false, 1_024);
  caller.mailbox.lane.balance = -10_000;
  const object = room.put('a');
  room.store.drop(object);
  assert.equal(caller.mailbox.droppedKept.of(1), 1);
  watch.close();
  await until(() => caller.mailbox.droppedKept.of(1) === 0);
});

test('of those that keep dropped objects, the one that keeps most gives way', async () => {
  const room = new Room();
  const few = new Consumer(new EveryVersion(room, room.caller(), 'a', false, 1_024));
  const many = new Consumer(new EveryVersion(room, room.caller(), new NamePattern('*'), false, 1_024));
  for (const name of ['a', 'b', 'c']) room.store.drop(room.put(name));
  await until(() => room.work.idle);
  assert(room.watches.shed({ uid: 1, shelf: 1 }));
  many.ask();
  assert(isSealaneError(many.errors[0], 'ERR_SEALANE_WATCH_OVERRUN'));
  assert.equal(few.drain().length, 1);
  assert.equal(room.watches.shed({ uid: 1, shelf: 1 }), false);
});

test('a scan of many objects is done in portions and finds the last one', async () => {
  const room = new Room();
  for (let count = 0; count < 50_000; count++) room.made.put(1, `other-${count}`);
  const wanted = room.made.put(1, 'wanted');
  const consumer = new Consumer(
    new NewestOfPattern(room, room.caller(), new NamePattern('*wanted'), true),
  ).ask();
  assert.deepEqual(consumer.ids, [], 'it was found at once, by one long search');
  while (consumer.ids.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(consumer.ids, [wanted.id]);
});
