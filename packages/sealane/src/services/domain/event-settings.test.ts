/** Settings of event services: defaults, limits, what fits what, and what a hostile file may say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENT_SETTINGS, type EventSettings } from './event-settings.js';

const DEFAULTS: EventSettings = {
  maxNotifiers: 16,
  maxListeners: 16,
  maxNodes: 128,
  eventIds: 1_024,
  deadlineMs: 0,
  notifierCreated: null,
  notifierDropped: null,
  notifierDead: null,
};

test('what is not given is as documented', () => {
  assert.deepEqual({ ...EVENT_SETTINGS.complete() }, DEFAULTS);
  assert.deepEqual({ ...EVENT_SETTINGS.complete({ notifierDead: 0 }) }, { ...DEFAULTS, notifierDead: 0 });
  assert.deepEqual([...EVENT_SETTINGS.names], Object.keys(DEFAULTS));
});

test('every setting is accepted at its limits and refused, by name, beyond them', () => {
  const limits: readonly [keyof EventSettings, number, number][] = [
    ['maxNotifiers', 1, 256],
    ['maxListeners', 1, 256],
    ['maxNodes', 1, 4_096],
    ['eventIds', 1, 1_024],
    ['deadlineMs', 0, 2 ** 31 - 1],
    ['notifierCreated', 0, 1_023],
    ['notifierDropped', 0, 1_023],
    ['notifierDead', 0, 1_023],
  ];
  for (const [name, min, max] of limits) {
    for (const right of [min, max]) assert.equal(EVENT_SETTINGS.check({ [name]: right })[name], right);
    for (const wrong of [min - 1, max + 1, 0.5, '1', true, {}])
      assert.throws(() => EVENT_SETTINGS.complete({ [name]: wrong } as object), {
        code: 'ERR_SEALANE_INVALID_ARGUMENT',
        message: new RegExp(`settings\\.${name} must be an integer from ${min} to ${max}`),
      });
  }
  assert.throws(() => EVENT_SETTINGS.complete({ maxListeners: null } as object), /maxListeners must be/);
});

test('a notice has an id that there is', () => {
  assert.throws(() => EVENT_SETTINGS.complete({ eventIds: 5, notifierCreated: 5 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /have the id 5 for notifierCreated, and eventIds is 5/,
  });
  assert.throws(() => EVENT_SETTINGS.parse({ ...DEFAULTS, eventIds: 5, notifierDead: 9 }), {
    code: 'ERR_SEALANE_PROTOCOL',
  });
  assert.equal(EVENT_SETTINGS.complete({ eventIds: 6, notifierCreated: 5 }).notifierCreated, 5);
});

test('an opener gets at least what it needs, and exactly the deadline and notices that it states', () => {
  const existing = EVENT_SETTINGS.complete({ eventIds: 10, deadlineMs: 50, notifierDead: 3 });
  EVENT_SETTINGS.require('x', existing, { eventIds: 9, deadlineMs: 50, notifierDead: 3 });
  for (const [required, message] of [
    [{ eventIds: 11 }, /eventIds 10, and at least 11/],
    [{ deadlineMs: 49 }, /deadlineMs 50, and 49 is/],
    [{ notifierDead: null }, /notifierDead 3, and null is/],
    [{ notifierCreated: 0 }, /notifierCreated null, and 0 is/],
  ] as const)
    assert.throws(() => EVENT_SETTINGS.require('x', existing, required), {
      code: 'ERR_SEALANE_SETTINGS_MISMATCH',
      message,
    });
});
