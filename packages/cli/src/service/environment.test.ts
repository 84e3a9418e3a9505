// What a service manager says of itself, read once and kept from others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../failure.js';
import { takeServiceEnvironment } from './environment.js';

const own = String(process.pid);

test('the variables are read once, and kept from the processes that are started later', () => {
  const environment = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '3000000', WATCHDOG_PID: own, OTHER: 'x' };
  assert.deepEqual(takeServiceEnvironment(environment), { notifySocket: '/run/n', watchdogMs: 3_000 });
  assert.deepEqual(environment, { OTHER: 'x' });
  const nothing = { notifySocket: undefined, watchdogMs: undefined };
  assert.deepEqual(takeServiceEnvironment(environment), nothing);
  assert.deepEqual(takeServiceEnvironment({ NOTIFY_SOCKET: '' }), nothing);
});

test('a watchdog that watches another process is not ours, and one that names none is', () => {
  assert.equal(takeServiceEnvironment({ WATCHDOG_USEC: '5000', WATCHDOG_PID: '1' }).watchdogMs, undefined);
  assert.equal(takeServiceEnvironment({ WATCHDOG_USEC: '5000' }).watchdogMs, 5);
});

test('a watchdog that never ends is as long as a timer can be', () => {
  assert.equal(takeServiceEnvironment({ WATCHDOG_USEC: '9007199254740991' }).watchdogMs, 2_147_483_647);
});

test('a watchdog whose time is none is an error, not an unwatched service', () => {
  for (const WATCHDOG_USEC of ['', 'x', '-1', '0', '999', '1.5s']) {
    assert.throws(() => takeServiceEnvironment({ WATCHDOG_USEC }), CommandError, WATCHDOG_USEC);
  }
});
