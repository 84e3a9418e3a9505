/** The audit of memfdbus clients: the protocol's own example, every operation and result, one line for each request. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Memfd } from '../../os/memfd.js';
import { encodeMemfdbusHeader, MEMFDBUS_COMMAND } from '../../wire/index.js';
import { type Line, MemorySink } from '../audit/audit.test.helper.js';
import type { BrokerOptions } from '../options.js';
import { until } from '../raw-client.test.helper.js';
import { digestOf, MemfdbusBroker, refused, requestOf, succeeded } from './client.test.helper.js';

const { get: GET } = MEMFDBUS_COMMAND;

interface Audited {
  broker: MemfdbusBroker;
  sink: MemorySink;
  lines(count: number): Promise<Facts[]>;
}

type Facts = Omit<Line, 'ts_ns' | 'operation' | 'pid' | 'uid' | 'gid'>;

async function start(t: TestContext, options: BrokerOptions = {}): Promise<Audited> {
  const sink = new MemorySink();
  const broker = await MemfdbusBroker.start(t, { audit: { sink }, ...options });
  const lines = async (count: number): Promise<Facts[]> => {
    await until(`${count} lines are there`, () => sink.text.split('\n').length > count);
    assert.equal(sink.lines.length, count);
    return sink.lines.map(factsOf);
  };
  return { broker, sink, lines };
}

function factsOf({ ts_ns, operation, pid, uid, gid, ...facts }: Line): Facts {
  assert(ts_ns > 0);
  assert.equal(operation, facts.op);
  assert.deepEqual([pid, uid, gid], [process.pid, process.getuid?.(), process.getgid?.()]);
  return facts;
}

const BLANK = {
  selector: null,
  object_id: null,
  name: null,
  size: null,
  count: null,
  digest: null,
  job_id: null,
  error: null,
};

test('put, get, list and drop are as the protocol documents them', async (t) => {
  const { broker, lines } = await start(t);
  const id = await broker.put('model.bin', 'weights', { job: 'beta' });
  succeeded(await broker.ask('get', { name: 'model.bin', job: 'beta' }));
  succeeded(await broker.ask('get', { objectId: id }));
  succeeded(await broker.ask('list', { job: 'beta' }));
  succeeded(await broker.ask('drop', { objectId: id, job: 'beta' }));
  const object = { object_id: Number(id), name: 'model.bin', size: 7, digest: digestOf('weights') };
  assert.deepEqual(await lines(5), [
    { ...BLANK, ...object, op: 'put', result: 'ok', job_id: 'beta' },
    { ...BLANK, ...object, op: 'get', result: 'ok', selector: 'name', job_id: 'beta' },
    { ...BLANK, ...object, op: 'get', result: 'ok', selector: 'id' },
    { ...BLANK, op: 'list', result: 'ok', size: 1, count: 1, job_id: 'beta' },
    { ...BLANK, ...object, op: 'drop', result: 'ok', selector: 'id', job_id: 'beta' },
  ]);
});

test('of what is not found stands what was asked for', async (t) => {
  const { broker, lines } = await start(t);
  refused(await broker.ask('get', { name: 'nothing', job: 'beta' }), 'notFound', 'object not found');
  refused(await broker.ask('drop', { objectId: 77n }), 'notFound', 'object not found');
  const asked = { ...BLANK, result: 'not_found', error: 'object not found' };
  assert.deepEqual(await lines(2), [
    { ...asked, op: 'get', selector: 'name', name: 'nothing', job_id: 'beta' },
    { ...asked, op: 'drop', selector: 'id', object_id: 77 },
  ]);
});

test('bad requests, forbidden ones and errors carry the text that the client got', async (t) => {
  const { broker, lines } = await start(t, { maxObjectBytes: 8 });
  await broker.put('shared', 'content', { job: 'owner', allowed: 'reader' });
  refused(await broker.ask('drop', { name: 'shared', job: 'reader' }), 'forbidden', 'access denied');
  using large = Memfd.sealed('test', new Uint8Array(9));
  const stated = { name: 'large', size: 9n, text: digestOf(new Uint8Array(9)) };
  refused(await broker.ask('put', stated, [large.fd]), 'error', 'broker object quota exceeded');
  using unsealed = Memfd.create('test', 4);
  const text = digestOf('');
  refused(
    await broker.ask('put', { name: 'x', size: 4n, text }, [unsealed.fd]),
    'badRequest',
    'fd is not fully immutable-sealed',
  );
  refused(await broker.ask('put', { name: 'x', size: 4n, text }), 'badRequest', 'missing memfd descriptor');
  refused(await broker.ask('get', {}), 'badRequest', 'missing object selector');
  const found = await lines(6);
  assert.deepEqual(found[1], {
    ...BLANK,
    op: 'drop',
    result: 'forbidden',
    selector: 'name',
    name: 'shared',
    job_id: 'reader',
    error: 'access denied',
  });
  assert.deepEqual(found[2], {
    ...BLANK,
    op: 'put',
    result: 'error',
    name: 'large',
    size: 9,
    digest: stated.text,
    error: 'broker object quota exceeded',
  });
  assert.deepEqual(
    found.slice(3).map(({ op, result, error }) => [op, result, error]),
    [
      ['put', 'bad_request', 'fd is not fully immutable-sealed'],
      ['put', 'bad_request', 'missing memfd descriptor'],
      ['get', 'bad_request', 'missing object selector'],
    ],
  );
});

test('what is no request is unknown; a request that never came whole is its operation', async (t) => {
  const { broker, lines } = await start(t);
  await broker.send(new Uint8Array(48).fill(0xff));
  await broker.send(encodeMemfdbusHeader(9, {}));
  const client = broker.connect();
  client.send(requestOf(GET, { name: 'name' }).subarray(0, 50));
  client.finish();
  await client.reply();
  const silent = broker.connect();
  silent.finish();
  await silent.ended;
  assert.deepEqual(
    (await lines(3)).map(({ op, result, error }) => [op, result, error]),
    [
      ['unknown', 'bad_request', 'invalid protocol header'],
      ['unknown', 'bad_request', 'unknown command'],
      ['get', 'bad_request', 'failed to read object name'],
    ],
  );
});

test('connections that give way to others, and those that are refused, are lines', async (t) => {
  const { broker, lines } = await start(t, { maxMemfdbusConnections: 1 });
  const idle = broker.connect();
  await until('it is there', () => broker.native.broker.status().connections === 1);
  succeeded(await broker.ask('list'));
  refused(await idle.reply(), 'error', 'broker client quota exceeded');
  const found = await lines(2);
  assert.deepEqual(found[0], {
    ...BLANK,
    op: 'connect',
    result: 'error',
    error: 'broker client quota exceeded',
  });
  assert.equal(found[1]?.op, 'list');
});

test('a user that is not admitted is a refused connection', {
  skip: process.getuid?.() === 0 ? false : 'only root can connect as another user',
}, async (t) => {
  const { broker, sink } = await start(t, { policy: {} });
  chmodSync(dirname(broker.path), 0o755);
  const stranger = broker.connectAs(54_321);
  refused(await stranger.reply(), 'forbidden', 'access denied');
  await until('the line is there', () => sink.text !== '');
  const [line] = sink.lines;
  assert.deepEqual(
    [line?.op, line?.result, line?.uid, line?.error],
    ['connect', 'forbidden', 54_321, 'access denied'],
  );
});

test('while the audit is not taken nobody is accepted, and afterwards everybody', async (t) => {
  const held = new MemorySink();
  const broker = await MemfdbusBroker.start(t, { audit: { sink: held, maxBufferBytes: 4_096 } });
  held.hold();
  const native = await broker.native.open();
  const calls = Array.from({ length: 60 }, () =>
    native.refused('notFound', { type: 'get', selector: { by: 'name', name: 'none' }, wait: false }),
  );
  await held.asked();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  let answered = false;
  const reply = broker.ask('list').then(() => {
    answered = true;
  });
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  held.release();
  await Promise.all([...calls, reply]);
  await broker.native.broker.stop();
  assert.equal(held.lines.length, 61);
});
