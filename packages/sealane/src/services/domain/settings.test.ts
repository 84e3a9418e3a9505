/** Settings: limits, what fits what, what a hostile file may say, and the layout of pools. */
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MAX_SLOTS } from '../../shm/outcome.js';
import { EVENT_SETTINGS } from './event-settings.js';
import {
  latest,
  PUBLISH_SUBSCRIBE_SETTINGS,
  payloadOffset,
  poolBytes,
  type ServiceSettings,
  slotCount,
  slotStride,
} from './settings.js';

const table = PUBLISH_SUBSCRIBE_SETTINGS;

const DEFAULTS = {
  maxBytes: 65_536,
  alignment: 64,
  userHeaderBytes: 0,
  maxPublishers: 8,
  maxSubscribers: 8,
  maxNodes: 128,
  bufferSize: 4,
  history: 0,
  maxBorrowed: 4,
  maxLoaned: 2,
  overflow: true,
  payload: 'bounded' as const,
};

const LIMITS: readonly [keyof ServiceSettings, number, number][] = [
  ['maxBytes', 1, 4_294_967_296],
  ['alignment', 8, 4_096],
  ['userHeaderBytes', 0, 4_096],
  ['maxPublishers', 1, 256],
  ['maxSubscribers', 1, 256],
  ['maxNodes', 1, 4_096],
  ['bufferSize', 1, 65_536],
  ['history', 0, 65_536],
  ['maxBorrowed', 1, 65_536],
  ['maxLoaned', 1, 65_536],
];

test('what is not given is as documented', () => {
  assert.deepEqual({ ...table.complete() }, DEFAULTS);
  assert.deepEqual({ ...table.complete(latest) }, { ...DEFAULTS, bufferSize: 1, history: 1 });
  assert.deepEqual(
    { ...table.complete({ ...latest, maxBytes: 7 }) },
    { ...DEFAULTS, bufferSize: 1, history: 1, maxBytes: 7 },
  );
  assert.deepEqual([...table.names], Object.keys(DEFAULTS));
});

test('every setting is accepted at its limits and refused, by name, beyond them', () => {
  for (const [name, min, max] of LIMITS) {
    assert.equal(table.check({ [name]: min })[name], min);
    assert.equal(table.check({ [name]: max })[name], max);
    for (const wrong of [min - 1, max + 1, min + 0.5, Number.NaN, `${min}`, null]) {
      assert.throws(() => table.complete({ [name]: wrong } as object), {
        code: 'ERR_SEALANE_INVALID_ARGUMENT',
        message: new RegExp(`settings\\.${name} must be an integer from ${min} to ${max}`),
      });
    }
  }
  assert.throws(
    () => table.complete({ alignment: 96 }),
    /settings\.alignment must be a power of two; got 96/,
  );
  assert.throws(() => table.complete({ overflow: 1 } as object), /settings\.overflow must be true or false/);
  assert.throws(
    () => table.complete({ payload: 'elastic' } as object),
    /settings\.payload must be one of "fixed", "bounded", "growing"/,
  );
  assert.throws(
    () => table.complete({ buffersize: 4 } as object),
    /only the keys .*bufferSize.*"buffersize"/,
  );
});

test('a setting that is undefined counts as not given', () => {
  const given = { history: undefined } as unknown as Partial<ServiceSettings>;
  assert.deepEqual(table.check(given), {});
  assert.equal(table.complete(given).history, 0);
});

test('a pool of too many slots is refused with the setting to lower', () => {
  assert.throws(() => table.complete({ maxSubscribers: 256, bufferSize: 65_536 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /need 16778242 slots.*at most 1048576: lower bufferSize \(65536\)/,
  });
  assert.throws(
    () => table.complete({ maxSubscribers: 256, bufferSize: 250, maxBorrowed: 65_536 }),
    /lower maxBorrowed/,
  );
  assert.doesNotThrow(() =>
    table.complete({ maxSubscribers: 8, bufferSize: 65_536, maxBorrowed: 65_000, maxBytes: 1 }),
  );
});

test('a pool of more bytes than an ArrayBuffer holds is refused with the setting to lower', (t) => {
  const most = constants.MAX_LENGTH;
  if (most > 2 ** 52) return t.skip('an ArrayBuffer of this Node.js holds any pool');
  assert.throws(() => table.complete({ maxBytes: 2 ** 32 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: new RegExp(`at most ${most} in one ArrayBuffer: lower maxBytes \\(4294967296\\)`),
  });
  const foreign = { ...DEFAULTS, maxBytes: 2 ** 32 };
  const message = /the settings of the service "x" need a pool of 283467845760 bytes/;
  assert.throws(() => table.require('x', table.parse(foreign), {}), {
    code: 'ERR_SEALANE_LIMIT_EXCEEDED',
    message,
  });
});

test('an opener gets what it needs or more, and the error names the setting and both values', () => {
  const existing = table.complete({ bufferSize: 10, overflow: false, userHeaderBytes: 16 });
  table.require('x', existing, {});
  table.require('x', existing, { bufferSize: 10, maxBytes: 1, overflow: false, userHeaderBytes: 16 });
  const mismatch = (message: RegExp) => ({ code: 'ERR_SEALANE_SETTINGS_MISMATCH', message });
  assert.throws(
    () => table.require('x', existing, { bufferSize: 11 }),
    mismatch(/"x" has bufferSize 10, and at least 11/),
  );
  assert.throws(
    () => table.require('x', existing, { overflow: true }),
    mismatch(/has overflow false, and true is/),
  );
  assert.throws(
    () => table.require('x', existing, { userHeaderBytes: 8 }),
    mismatch(/has userHeaderBytes 16, and 8 is/),
  );
  assert.throws(
    () => table.require('x', existing, { payload: 'growing' }),
    mismatch(/has payload bounded, and growing is/),
  );
});

test('every setting that is a number fits, but the user header, when it is greater than what is required', () => {
  for (const name of table.names.filter((one) => one !== 'overflow' && one !== 'payload')) {
    const existing = { ...DEFAULTS, [name]: 64 };
    assert.throws(() => table.require('x', existing, { [name]: 128 }), /MISMATCH|required/);
    if (name === 'userHeaderBytes') assert.throws(() => table.require('x', existing, { [name]: 32 }));
    else table.require('x', existing, { [name]: 32 });
  }
});

test("a file's settings are taken only when all are there and within their limits", () => {
  assert.deepEqual({ ...table.parse(JSON.parse(JSON.stringify({ ...DEFAULTS, more: 1 }))) }, DEFAULTS);
  for (const name of table.names) {
    for (const wrong of [undefined, null, -1, 1e300, '4', [], {}, 0.5]) {
      const text = JSON.stringify({ ...DEFAULTS, [name]: wrong });
      assert.throws(() => table.parse(JSON.parse(text)), {
        code: 'ERR_SEALANE_PROTOCOL',
        message: new RegExp(`the setting ${name} must`),
      });
    }
  }
  const slots = { ...DEFAULTS, maxSubscribers: 256, bufferSize: 65_536 };
  assert.throws(() => table.parse(slots), { code: 'ERR_SEALANE_PROTOCOL', message: /slots/ });
});

test('slots are counted so that all may be waiting, borrowed, kept and loaned at once', () => {
  assert.equal(slotCount(table.complete()), 8 * (4 + 4) + 0 + 2);
  assert.equal(slotCount(table.complete(latest)), 8 * (1 + 4) + 1 + 2);
  assert.equal(MAX_SLOTS, 2 ** 20);
});

test('every slot and every payload is aligned, whatever the settings', () => {
  for (let alignment = 8; alignment <= 4_096; alignment *= 2) {
    for (const userHeaderBytes of [0, 1, 63, 64, 65, 4_096]) {
      for (const maxBytes of [1, 64, 65, 4_097]) {
        const settings = table.complete({ alignment, userHeaderBytes, maxBytes });
        const offset = payloadOffset(settings);
        assert.ok(offset >= 64 + userHeaderBytes);
        assert.equal(offset % alignment, 0);
        assert.equal(slotStride(settings) % Math.max(64, alignment), 0);
        assert.ok(slotStride(settings) >= offset + maxBytes);
        assert.equal(poolBytes(settings), slotCount(settings) * slotStride(settings));
      }
    }
  }
  assert.equal(payloadOffset(table.complete()), 64);
  assert.equal(slotStride(table.complete({ maxBytes: 8_192 })), 8_192 + 64);
  assert.equal(payloadOffset(table.complete({ alignment: 4_096 })), 4_096);
});

test('the settings of the specification are these, with these limits', () => {
  const spec = readFileSync(new URL('../../../../../spec/services.md', import.meta.url), 'utf8');
  for (const [kind, { names, check }] of [
    ['publish-subscribe', { names: table.names, check: (given: object) => table.check(given) }],
    ['event', { names: EVENT_SETTINGS.names, check: (given: object) => EVENT_SETTINGS.check(given) }],
  ] as const) {
    const [, text = ''] =
      spec.match(new RegExp(`Setting of \`"${kind}"\` .*\\n\\|---.*\\n((?:\\|.*\\n)+)`)) ?? [];
    const rows = [...text.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, name = '', values = '']) => ({
      name,
      values,
    }));
    assert.deepEqual(
      rows.map(({ name }) => name),
      [...names],
    );
    for (const { name, values } of rows) {
      const [, min, max] = (values.match(/([\d,]+) to ([\d,]+)/) ?? []).map((one) =>
        Number(one.replaceAll(',', '')),
      );
      if (min === undefined || max === undefined) continue;
      for (const value of [min, max]) check({ [name]: value });
      for (const value of [min - 1, max + 1])
        assert.throws(() => check({ [name]: value }), { message: new RegExp(name) });
      if (values.startsWith('null')) check({ [name]: null });
    }
  }
});
