/** Whoever sleeps is woken: in every order in which the steps of both sides can happen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginWaiting, endWaiting, mustWake, SUBSCRIBER_WAITING } from './waiting.js';

/** The sleeper's steps and the other side's, on one memory; what each found. */
class Encounter {
  readonly words = new Int32Array(SUBSCRIBER_WAITING + 1);
  #done = false;
  sawIt = false;
  wokeIt = false;
  wakeComes = false;
  readonly sleeper = [
    () => beginWaiting(this.words, SUBSCRIBER_WAITING, 1),
    () => {
      this.sawIt = this.#done;
    },
    () => {
      if (this.sawIt) this.wakeComes = !endWaiting(this.words, SUBSCRIBER_WAITING);
    },
  ];
  readonly other = [
    () => {
      this.#done = true;
    },
    () => {
      this.wokeIt = mustWake(this.words, SUBSCRIBER_WAITING, 0);
    },
  ];
}

/** All ways to merge so many steps of one with so many of the other: true is a step of the first. */
function orders(first: number, second: number): boolean[][] {
  if (first === 0 && second === 0) return [[]];
  const begins = (own: boolean, rest: boolean[][]) => rest.map((order) => [own, ...order]);
  return [
    ...(first > 0 ? begins(true, orders(first - 1, second)) : []),
    ...(second > 0 ? begins(false, orders(first, second - 1)) : []),
  ];
}

test('who sleeps without having seen it is woken, and who has seen it knows whether a wake-up comes', () => {
  const all = orders(3, 2);
  assert.equal(all.length, 10);
  for (const order of all) {
    const encounter = new Encounter();
    const { sleeper, other } = encounter;
    for (const own of order) (own ? sleeper : other).shift()?.();
    assert.ok(encounter.sawIt || encounter.wokeIt, `${order}: it sleeps for ever`);
    if (encounter.sawIt) assert.equal(encounter.wakeComes, encounter.wokeIt, String(order));
  }
});

test('one sleep is woken once', () => {
  const words = new Int32Array(SUBSCRIBER_WAITING + 1);
  assert.equal(mustWake(words, SUBSCRIBER_WAITING, 0), false);
  beginWaiting(words, SUBSCRIBER_WAITING, 1);
  assert.equal(mustWake(words, SUBSCRIBER_WAITING, 0), true);
  assert.equal(mustWake(words, SUBSCRIBER_WAITING, 0), false);
  assert.equal(endWaiting(words, SUBSCRIBER_WAITING), false);
});

test('who takes it back in time is not woken', () => {
  const words = new Int32Array(SUBSCRIBER_WAITING + 1);
  beginWaiting(words, SUBSCRIBER_WAITING, 1);
  assert.equal(endWaiting(words, SUBSCRIBER_WAITING), true);
  assert.equal(mustWake(words, SUBSCRIBER_WAITING, 0), false);
});

test('who waits for fewer samples than so many is woken no sooner', () => {
  const words = new Int32Array(SUBSCRIBER_WAITING + 1);
  beginWaiting(words, SUBSCRIBER_WAITING, 3);
  assert.deepEqual(
    [5, 4, 3, 2, 1].map((left) => mustWake(words, SUBSCRIBER_WAITING, left)),
    [false, false, false, true, false],
  );
});
