/** Parked gets and the kinds of watches, without a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { NamePattern } from '../wire/index.js';
import type { Caller } from './access.js';
import type { ObjectDraft, StoredObject } from './object.js';
import { TestStore } from './store.test.helper.js';
import {
  EveryVersion,
  NewestOfName,
  NewestOfPattern,
  ParkedGet,
  type WaitRoom,
  type Watch,
} from './waiters.js';
import { Watches } from './watches.js';
import { FairWork } from './work.js';

const CALLER: Caller = { uid: 1, job: undefined };

/** A store whose puts are announced. */
class Room implements WaitRoom {
  readonly made = new TestStore();
  readonly store = this.made.store;
  readonly work = new FairWork();
  readonly watches = new Watches(this.work);

  put(name: string, fields: Partial<ObjectDraft> = {}, uid = 1): StoredObject {
    const object = this.made.put(uid, name, fields);
    this.watches.announce(object, (error) => assert.equal(error, undefined));
    return object;
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
  const parked = new ParkedGet(room, { uid: 1, job: 'beta' }, 'a', {
    deliver: (object) => got.push(object.id),
    fail: () => assert.fail(),
  });
  assert(parked.bornAfterId === 0);
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
  const consumer = new Consumer(new NewestOfName(room, CALLER, 'a', true));
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
  const consumer = new Consumer(new NewestOfName(room, CALLER, 'a', true));
  assert.deepEqual(consumer.drain(), [second.id]);
  room.store.drop(second);
  const third = room.put('a');
  assert.deepEqual(consumer.ids, [second.id, third.id]);
});

test('without existing, a watch of a name begins after what is there', () => {
  const room = new Room();
  room.put('a');
  const consumer = new Consumer(new NewestOfName(room, CALLER, 'a', false)).ask();
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
  const consumer = new Consumer(new NewestOfPattern(room, CALLER, new NamePattern('a/*'), true));
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
  const caller = { uid: 1, job: 'beta' };
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
  const consumer = new Consumer(new EveryVersion(room, CALLER, 'a', true, 10));
  const later = [room.put('a'), room.put('a'), room.put('a')];
  for (const object of later) room.store.drop(object);
  assert.deepEqual(room.made.closed, []);
  assert.deepEqual(consumer.drain(), [newest.id, ...later.map((object) => object.id)]);
  assert.equal(room.made.closed.length, 3);
});

test('every version of a pattern is yielded after what was there, in order', () => {
  const room = new Room();
  const before = [room.put('a/1'), room.put('a/2')];
  const consumer = new Consumer(new EveryVersion(room, CALLER, new NamePattern('a/*'), true, 10));
  const later = [room.put('a/3'), room.put('b'), room.put('a/3')];
  const expected = [...before, later[0], later[2]].map((object) => object?.id);
  assert.deepEqual(consumer.drain(), expected);
});

test('a consumer that falls behind the queue loses the watch and is told so', () => {
  const room = new Room();
  const consumer = new Consumer(new EveryVersion(room, CALLER, 'a', false, 3));
  const objects = [1, 2, 3, 4].map(() => room.put('a'));
  for (const object of objects) room.store.drop(object);
  assert.equal(room.made.closed.length, 4, 'an overrun watch holds nothing');
  consumer.ask();
  assert(isSealaneError(consumer.errors[0], 'ERR_SEALANE_WATCH_OVERRUN'));
});

test('a closed watch holds nothing, and tells who asked that it was canceled', () => {
  const room = new Room();
  const every = new Consumer(new EveryVersion(room, CALLER, 'a', false, 10));
  room.store.drop(room.put('a'));
  every.watch.close();
  assert.equal(room.made.closed.length, 1);
  const asked = new Consumer(new NewestOfName(room, CALLER, 'a', true)).ask();
  asked.watch.close();
  room.put('a');
  assert.deepEqual(asked.ids, []);
  assert(isSealaneError(asked.errors[0], 'ERR_SEALANE_ABORTED'));
});

test('an asker that stops asking is told nothing, and the next one is', () => {
  const room = new Room();
  const consumer = new Consumer(new NewestOfPattern(room, CALLER, new NamePattern('*'), true)).ask();
  consumer.watch.unask();
  const object = room.put('a');
  assert.deepEqual(consumer.ids, []);
  assert.deepEqual(consumer.drain(), [object.id]);
});

test('a put that wakes thousands is told to all of them in portions, and answered after that', async () => {
  const room = new Room();
  const consumers = Array.from({ length: 3_000 }, (_, index) =>
    new Consumer(
      index % 2 === 0
        ? new NewestOfName(room, CALLER, 'a', true)
        : new NewestOfPattern(room, CALLER, new NamePattern('*'), true),
    ).ask(),
  );
  const object = room.made.put(1, 'a');
  await new Promise<void>((resolve) => {
    let inline = true;
    room.watches.announce(object, () => resolve(assert.equal(inline, false)));
    inline = false;
  });
  // Pattern watches look for it as chores of their own, behind the announcement.
  while (consumers.some(({ ids }) => ids.length === 0)) await new Promise((resolve) => setImmediate(resolve));
  assert(consumers.every(({ ids }) => ids[0] === object.id));
});

test('a scan of many objects is done in portions and finds the last one', async () => {
  const room = new Room();
  for (let count = 0; count < 50_000; count++) room.made.put(1, `other-${count}`);
  const wanted = room.made.put(1, 'wanted');
  const consumer = new Consumer(new NewestOfPattern(room, CALLER, new NamePattern('*wanted'), true)).ask();
  assert.deepEqual(consumer.ids, [], 'it was found at once, by one long search');
  while (consumer.ids.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(consumer.ids, [wanted.id]);
});
