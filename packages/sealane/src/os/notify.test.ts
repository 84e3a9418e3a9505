/** Telling a service manager: addresses, lines, and nobody there. What arrives is tested with a real receiver in test/. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { monotonicMicroseconds, Notifier } from './notify.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-notify-'));
after(() => rmSync(folder, { recursive: true }));

test('an address that is neither a path nor an abstract name is refused', () => {
  for (const address of ['', '/', '@', 'relative', 'vsock:2:9999', '/with\0zero', `/${'x'.repeat(107)}`]) {
    assert.throws(
      () => new Notifier(address),
      (error) => isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT'),
      address,
    );
  }
  assert.equal(new Notifier('/run/notify').address, '/run/notify');
  assert.equal(new Notifier(`@${'x'.repeat(106)}`).address.length, 107);
});

test('a line break in a value is refused: it would be another line', () => {
  assert.throws(() => new Notifier('/run/notify').tell({ STATUS: 'a\nREADY=1' }), /STATUS must be one line/);
});

test('a service manager that is not there, or that takes no datagrams, is a system error', () => {
  const missing = new Notifier(join(folder, 'missing'));
  assert.throws(() => missing.tell({ READY: 1 }), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'ENOENT' });
  const abstract = new Notifier(`@sealane-nobody-${process.pid}`);
  assert.throws(() => abstract.tell({ READY: 1 }), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'ECONNREFUSED' });
  const path = join(folder, 'packets');
  using _listener = UnixSocket.listen(path, 1);
  assert.throws(() => new Notifier(path).tell({ READY: 1 }), { errnoName: 'EPROTOTYPE' });
});

test('monotonic time is in microseconds and goes on', () => {
  const before = Number(monotonicMicroseconds());
  const after = Number(monotonicMicroseconds());
  assert.ok(Number.isSafeInteger(before) && after >= before);
  const uptimeSeconds = Number(process.hrtime.bigint() / 1_000_000_000n);
  assert.ok(Math.abs(before / 1e6 - uptimeSeconds) < 60);
});
