/** Options: defaults and checks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { type BrokerOptions, settle } from './options.js';

test('without options, objects take what the descriptor limit leaves beside the connections', () => {
  const settings = settle({}, 20_000);
  assert.equal(settings.maxConnections, 1_024);
  assert.equal(settings.maxConnectionsPerUser, 512);
  assert.equal(settings.maxObjects, 20_000 - 4 * 1_024 - 64);
  assert.equal(settings.maxObjectsPerUser, settings.maxObjects);
  assert.equal(settings.maxObjectBytes, settings.maxBytes);
});

test('a small descriptor limit makes room for both connections and objects', () => {
  const settings = settle({}, 1_024);
  assert.equal(settings.maxConnections, 128);
  assert.equal(settings.maxObjects, 1_024 - 4 * 128 - 64);
});

test('an unlimited number of descriptors does not mean an unlimited number of objects', () => {
  assert.equal(settle({}, Number.MAX_SAFE_INTEGER).maxObjects, 1_000_000);
});

test('an option that is undefined has its default', () => {
  assert.equal(settle({ maxWatches: undefined } as unknown as BrokerOptions, 20_000).maxWatches, 64);
});

test('more objects than descriptors are refused with what to do', () => {
  assert.throws(() => settle({ maxObjects: 30_000 }, 20_000), /RLIMIT_NOFILE.*ulimit -n/);
});

for (const [name, value] of [
  ['maxObjects', 0],
  ['maxObjects', 1.5],
  ['maxBytes', -1],
  ['maxNameBytes', 65_537],
  ['maxMessageBytes', 1_024],
  ['maxMessageBytes', '1 MiB'],
  ['helloTimeoutMs', 0],
  ['users', 1_000],
  ['users', [-1]],
  ['users', [4_294_967_295]],
  ['socket', ''],
  ['socket', `/tmp/${'x'.repeat(99)}`],
  ['socket', '/tmp/'],
  ['socket', '/tmp/a\0b'],
  ['maxObject', 1],
  ['toString', 1],
] as const) {
  test(`the option ${name} can't be ${JSON.stringify(value).slice(0, 40)}`, () => {
    assert.throws(
      () => settle({ [name]: value } as unknown as BrokerOptions, 20_000),
      (error) => isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT') && error.message.includes(name),
    );
  });
}

test('one path is not two sockets', () => {
  const both = { socket: '/tmp/a.sock', memfdbusSocket: '/tmp/../tmp/a.sock' };
  assert.throws(() => settle(both, 20_000), /options\.memfdbusSocket must be another path/);
});
