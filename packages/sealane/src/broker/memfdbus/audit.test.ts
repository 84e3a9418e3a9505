/** What memfdbus clients do is recorded, one line a request, in the fields of their own broker's audit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Line, MemorySink } from '../audit/audit.test.helper.js';
import { until } from '../raw-client.test.helper.js';
import { digestOf, MemfdbusBroker, refused, succeeded } from './client.test.helper.js';

/** The fields of a line that the request decides. */
function brief({
  operation,
  result,
  selector,
  object_id,
  name,
  size,
  count,
  digest,
  job_id,
  error,
}: Line): unknown {
  return [operation, result, selector, object_id, name, size, count, digest, job_id, error];
}

test('each request makes one line, whatever comes of it', async (t) => {
  const sink = new MemorySink();
  const broker = await MemfdbusBroker.start(t, { audit: { sink } });
  await broker.put('model.bin', 'abc', { job: 'alpha' });
  succeeded(await broker.ask('get', { name: 'model.bin', job: 'alpha' }));
  succeeded(await broker.ask('list', { job: 'alpha' }));
  refused(await broker.ask('get', { name: 'model.bin', job: 'beta' }), 'forbidden', 'access denied');
  refused(await broker.ask('get', { name: 'absent' }), 'notFound', 'object not found');
  refused(await broker.ask('drop', { objectId: 9n }), 'notFound', 'object not found');
  refused(
    await broker.ask('put', { name: 'a', size: 1n, text: digestOf('x') }),
    'badRequest',
    'missing memfd descriptor',
  );
  succeeded(await broker.ask('drop', { objectId: 1n }));
  refused(await broker.send(Buffer.alloc(48)), 'badRequest', 'invalid protocol header');
  await until('everything is written', () => sink.lines.length === 9);
  const digest = digestOf('abc');
  assert.deepEqual(sink.lines.map(brief), [
    ['put', 'ok', null, 1, 'model.bin', 3, null, digest, 'alpha', null],
    ['get', 'ok', 'name', 1, 'model.bin', 3, null, digest, 'alpha', null],
    ['list', 'ok', null, null, null, 1, 1, null, 'alpha', null],
    ['get', 'forbidden', 'name', null, 'model.bin', null, null, null, 'beta', 'access denied'],
    ['get', 'not_found', 'name', null, 'absent', null, null, null, null, 'object not found'],
    ['drop', 'not_found', 'id', 9, null, null, null, null, null, 'object not found'],
    ['put', 'bad_request', null, null, 'a', 1, null, digestOf('x'), null, 'missing memfd descriptor'],
    ['drop', 'ok', 'id', 1, 'model.bin', 3, null, digest, null, null],
    ['unknown', 'bad_request', null, null, null, null, null, null, null, 'invalid protocol header'],
  ]);
  assert(sink.lines.every(({ pid, uid }) => pid === process.pid && uid === process.geteuid?.()));
});

test('while the audit takes nothing, nobody is served; a watchdog is told that the broker lives', async (t) => {
  const sink = new MemorySink();
  const broker = await MemfdbusBroker.start(t, { audit: { sink, maxBufferBytes: 4_096 } });
  sink.hold();
  let answered = 0;
  const replies = Array.from({ length: 100 }, async () => {
    const reply = await broker.ask('get', { name: 'x'.repeat(1_000) });
    answered++;
    return reply;
  });
  await sink.asked();
  await broker.native.broker.probe();
  assert(answered < 100, 'all were answered');
  sink.release();
  for (const reply of await Promise.all(replies)) refused(reply, 'notFound', 'object not found');
  await until('everything is written', () => sink.lines.length === 100);
});
