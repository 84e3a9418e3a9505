/** The store: lookups, scopes, versions, shared contents, ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import type { Selector } from '../wire/index.js';
import { may } from './access.js';
import type { StoredObject } from './object.js';
import { OrderedObjects } from './ordered.js';
import { callerOf, OBJECT_BYTES, TestStore } from './store.test.helper.js';

const byName = (name: string): Selector => ({ by: 'name', name });
const byId = (id: number): Selector => ({ by: 'id', id });
const byDigest = (digest: string): Selector => ({ by: 'digest', digest });
const unscoped = callerOf(1);
const DIGEST = 'a'.repeat(64);

test('an object is found by id, name and digest, and by nobody else', () => {
  const { store, ...made } = fill();
  for (const selector of [byId(made.object.id), byName('a'), byDigest(DIGEST)]) {
    assert.equal(store.find(unscoped, selector, 'get'), made.object);
    assert.throws(() => store.find(callerOf(2), selector, 'get'), isNotFound);
  }
  for (const selector of [byId(99), byName('b'), byDigest('b'.repeat(64))]) {
    assert.throws(() => store.find(unscoped, selector, 'get'), isNotFound);
  }
});

test('dropping by name uncovers the version before, until there is none', () => {
  const made = new TestStore();
  const objects = [made.put(1, 'a'), made.put(1, 'a'), made.put(1, 'a')];
  for (const expected of objects.toReversed()) {
    const found = made.store.findToDrop(unscoped, byName('a'));
    assert.equal(found, expected);
    made.store.drop(found);
  }
  assert.throws(() => made.store.find(unscoped, byName('a'), 'get'), isNotFound);
});

test('a name resolves among what the caller may see', () => {
  const made = new TestStore();
  const own = made.put(1, 'a', { owner: 'alpha' });
  const shared = made.put(1, 'a', { owner: 'beta', allowed: ['alpha', 'alpha'] });
  const hidden = made.put(1, 'a', { owner: 'gamma' });
  assert.equal(made.store.newest(callerOf(1, 'alpha'), 'a'), shared);
  assert.equal(made.store.newest(callerOf(1, 'gamma'), 'a'), hidden);
  assert.equal(made.store.newest(unscoped, 'a'), hidden);
  assert.throws(() => made.store.findToDrop(callerOf(1, 'alpha'), byName('a')), isDenied);
  made.store.drop(shared);
  assert.equal(made.store.newest(callerOf(1, 'alpha'), 'a'), own);
});

test('what exists and is hidden is denied by id, name and digest', () => {
  const { store, object } = fill({ owner: 'alpha' });
  for (const selector of [byId(object.id), byName('a'), byDigest(DIGEST)]) {
    assert.throws(() => store.find(callerOf(1, 'beta'), selector, 'get'), isDenied);
    assert.throws(() => store.find(callerOf(1, 'beta'), selector, 'get'), /not allowed to get it$/);
    assert.throws(() => store.find(callerOf(1, 'beta'), selector, 'list'), /not allowed to see it$/);
  }
});

test('the newest of a name is found and 100,000 versions are dropped in any order without searching', () => {
  const made = new TestStore();
  const objects = Array.from({ length: 100_000 }, () => made.put(1, 'a', { owner: 'alpha' }));
  const own = made.put(1, 'a', { owner: 'beta' });
  objects.push(...Array.from({ length: 1_000 }, () => made.put(1, 'a', { owner: 'alpha' })));
  assert.equal(made.store.newest(callerOf(1, 'beta'), 'a'), own);
  // Neither from the front nor from the back: every third, then the rest.
  const order = [
    ...objects.filter((_, index) => index % 3 === 1),
    ...objects.filter((_, index) => index % 3 !== 1),
  ];
  for (const object of order) made.store.drop(object);
  assert.equal(made.store.newest(unscoped, 'a'), own);
  assert.equal(made.store.count(1), 1);
  assert.equal(made.closed.length, 101_000);
});

test('any sequence of puts and drops leaves the same visible versions as a search through all objects', () => {
  const jobs = [undefined, 'alpha', 'beta', 'gamma'];
  const job = fc.constantFrom('alpha', 'beta', 'gamma');
  const put = fc.record({
    owner: fc.option(job, { nil: undefined }),
    allowed: fc.array(job, { maxLength: 2 }),
  });
  const step = fc.oneof(put, fc.nat({ max: 40 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const made = new TestStore();
      const live: StoredObject[] = [];
      for (const each of steps) {
        if (typeof each !== 'number') live.push(made.put(1, 'a', each.owner === undefined ? {} : each));
        else for (const object of live.splice(each, 1)) made.store.drop(object);
        for (const caller of jobs) {
          const expected = live.findLast((object) => may('get', object, callerOf(1, caller)));
          assert.equal(made.store.newest(callerOf(1, caller), 'a'), expected);
        }
      }
      for (const object of live) made.store.drop(object);
      assert.deepEqual(made.quota.used(), { objects: 0, bytes: 0, recordBytes: 0 });
    }),
  );
});

test('by digest the newest is found, also when the digests were computed in another order', () => {
  const made = new TestStore();
  const objects = [made.put(1, 'a'), made.put(1, 'b'), made.put(1, 'c')];
  for (const index of [2, 0, 1]) made.store.setDigest(objects[index]?.content ?? made.admitFor(1), DIGEST);
  for (const expected of objects.toReversed()) {
    assert.equal(made.store.find(unscoped, byDigest(DIGEST), 'get'), expected);
    made.store.drop(expected);
  }
});

test('equal contents of one user are kept and counted once, those of two users twice', () => {
  const made = new TestStore();
  const names = ['a', 'b'];
  for (const uid of [1, 1, 2]) {
    const content = made.admitFor(uid);
    made.store.setDigest(content, DIGEST);
    made.insert(made.store.share(content), names.pop());
  }
  assert.equal(made.quota.used(1).bytes, OBJECT_BYTES);
  assert.equal(made.quota.used(1).objects, 2);
  assert.equal(made.quota.used(2).bytes, OBJECT_BYTES);
  assert.deepEqual(made.closed, [1_002]);
});

test('a shared content is closed with the last object that has it', () => {
  const made = new TestStore();
  const objects: StoredObject[] = [];
  for (let count = 0; count < 2; count++) {
    const content = made.admitFor(1);
    made.store.setDigest(content, DIGEST);
    objects.push(made.insert(made.store.share(content), 'a'));
  }
  for (const object of objects) made.store.drop(object);
  assert.deepEqual(made.closed, [1_002, 1_001]);
  assert.equal(made.quota.used().bytes, 0);
});

test('an object that is held outlives its drop, and costs until it is released', () => {
  const made = new TestStore();
  const object = made.put(1, 'a').hold();
  made.store.drop(object);
  assert.throws(() => made.store.find(unscoped, byId(object.id), 'get'), isNotFound);
  assert.deepEqual(made.closed, []);
  assert.equal(made.quota.used(1).objects, 1);
  object.release();
  assert.deepEqual(made.closed, [1_001]);
  assert.deepEqual(made.quota.used(1), { objects: 0, bytes: 0, recordBytes: 0 });
});

test('objects end after their time to live, in the order of their ends', async () => {
  const made = new TestStore();
  const lasting = made.put(1, 'a');
  for (const ttlMs of [900, 300, 600]) made.put(1, 'a', { ttlMs });
  while (made.closed.length < 3) {
    await sleep(10);
    made.store.sweep();
  }
  assert.deepEqual(made.closed, [1_003, 1_004, 1_002]);
  assert.equal(made.store.newest(unscoped, 'a'), lasting);
});

test('100,000 objects with a time to live take one timer and are forgotten when they are dropped early', () => {
  const made = new TestStore();
  const objects = Array.from({ length: 100_000 }, (_, index) =>
    made.put(1, undefined, { ttlMs: 1e6 + ((index * 7_919) % 1e6) }),
  );
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  assert(timers <= 2, `${timers} timers`);
  for (const object of objects) made.store.drop(object);
  assert.equal(made.store.count(), 0);
  made.store.close();
});

test('closing drops everything', () => {
  const made = new TestStore();
  for (const uid of [1, 2]) for (let count = 0; count < 10; count++) made.put(uid, 'a');
  made.store.close();
  assert.equal(made.closed.length, 20);
  assert.deepEqual(made.quota.used(), { objects: 0, bytes: 0, recordBytes: 0 });
});

function fill(scope: { owner?: string } = {}): TestStore & { object: StoredObject } {
  const made = new TestStore();
  const content = made.admitFor(1);
  made.store.setDigest(content, DIGEST);
  return Object.assign(made, { object: made.insert(content, 'a', scope) });
}

function isNotFound(error: unknown): boolean {
  return isSealaneError(error, 'ERR_SEALANE_NOT_FOUND');
}

function isDenied(error: unknown): boolean {
  return isSealaneError(error, 'ERR_SEALANE_ACCESS_DENIED');
}

test('names with few versions keep none of the dropped ones in memory', () => {
  const made = new TestStore();
  const list = new OrderedObjects();
  const objects = Array.from({ length: 9 }, () => made.put(1, 'a'));
  for (const object of objects) list.add(object);
  for (const object of objects.slice(0, 8)) {
    object.markDropped();
    list.remove();
  }
  assert.deepEqual([list.size, list.at(0), list.at(1)], [1, objects[8], undefined]);
});
