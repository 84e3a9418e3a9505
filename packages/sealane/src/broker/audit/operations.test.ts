/** Every operation and every result, through a real broker and its clients: each request makes one line. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Memfd } from '../../os/memfd.js';
import { encodeRequest } from '../../wire/index.js';
import type { BrokerOptions } from '../options.js';
import {
  type Call,
  directory,
  drop,
  get,
  getId,
  putCall,
  type RawClient,
  startBroker,
  type TestBroker,
  until,
  watch,
} from '../raw-client.test.helper.js';
import { type Line, MemorySink } from './audit.test.helper.js';

const CONTENT = new TextEncoder().encode('hello');
const DIGEST = createHash('sha256').update(CONTENT).digest('hex');

interface Audited extends TestBroker {
  sink: MemorySink;
  /** All lines so far, once there are so many. */
  lines(count: number): Promise<Line[]>;
}

async function startAudited(t: TestContext, options: BrokerOptions = {}): Promise<Audited> {
  const sink = new MemorySink();
  const started = await startBroker(t, { audit: { sink }, ...options });
  const lines = async (count: number): Promise<Line[]> => {
    await until(`${count} lines are there`, () => sink.text.split('\n').length > count);
    assert.equal(sink.lines.length, count);
    return sink.lines;
  };
  return { ...started, sink, lines };
}

const stat = (name: string, digest = false): Call => ({
  type: 'stat',
  selector: { by: 'name', name },
  digest,
});
const list = (fields: { pattern?: string; digests?: boolean; limit?: number } = {}): Call => ({
  type: 'list',
  after: 0,
  limit: 1_000,
  digests: false,
  ...fields,
});

/** What a line says of an operation, without when and by whom. */
function facts(line: Line | undefined): Omit<Line, 'ts_ns' | 'operation' | 'pid' | 'uid' | 'gid'> {
  assert(line !== undefined);
  const { ts_ns, operation, pid, uid, gid, ...rest } = line;
  assert.equal(operation, rest.op);
  assert.deepEqual(
    { pid, uid, gid },
    { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() },
    'the peer is this process',
  );
  assert(Math.abs(ts_ns / 1e6 - Date.now()) < 60_000);
  return rest;
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

test('put, get, stat, list and drop say what object it was, how it was asked for, and for which job', async (t) => {
  const { open, lines } = await startAudited(t);
  const client = await open('beta');
  await client.put('model.bin', {}, CONTENT);
  await client.ask(get('model.bin'));
  await client.ask(stat('model.bin', true));
  await client.ask(getId(1));
  await client.ask({ type: 'get', selector: { by: 'digest', digest: DIGEST }, wait: false });
  await client.call(list());
  await client.call(list({ pattern: 'model*' }));
  await client.ask(drop('model.bin'));
  const found = (await lines(8)).map(facts);
  const object = { ...BLANK, result: 'ok', object_id: 1, name: 'model.bin', size: 5, job_id: 'beta' };
  const digest = `sha256:${DIGEST}`;
  assert.deepEqual(found, [
    { ...object, op: 'put' },
    { ...object, op: 'get', selector: 'name' },
    { ...object, op: 'stat', selector: 'name', digest },
    { ...object, op: 'get', selector: 'id', digest },
    { ...object, op: 'get', selector: 'digest', digest },
    { ...BLANK, op: 'list', result: 'ok', size: 1, count: 1, job_id: 'beta' },
    { ...BLANK, op: 'list', result: 'ok', name: 'model*', size: 1, count: 1, job_id: 'beta' },
    { ...object, op: 'drop', selector: 'name', digest },
  ]);
});

test('a watch is a line, and each object that it delivers is one; its end is none', async (t) => {
  const { open, lines } = await startAudited(t);
  const client = await open();
  await client.call(watch('camera/*'));
  const first = client.lastId;
  const next: Call = { type: 'next', watch: first };
  const waiting = client.call(next);
  await client.put('camera/1', {}, CONTENT);
  await waiting;
  await client.call(watch('camera/1', { literal: true }));
  const canceled = client.call(next);
  await client.call({ type: 'cancel', target: first });
  await canceled;
  await client.refused('notFound', next);
  const found = (await lines(5)).map(facts);
  const object = { ...BLANK, result: 'ok', object_id: 1, name: 'camera/1', size: 5 };
  assert.deepEqual(found.slice(0, 1), [{ ...BLANK, op: 'watch', result: 'ok', name: 'camera/*' }]);
  assert.deepEqual(new Set(found.slice(1, 3).map(({ op }) => op)), new Set(['put', 'next']));
  assert.deepEqual(
    found.find(({ op }) => op === 'next'),
    { ...object, op: 'next' },
  );
  assert.deepEqual(found[3], { ...BLANK, op: 'watch', result: 'ok', selector: 'name', name: 'camera/1' });
  assert.equal(found[4]?.op, 'next');
  assert.equal(found[4]?.result, 'not_found');
});

test('hello, cancel and status are no operations on objects', async (t) => {
  const { open, sink, broker } = await startAudited(t);
  const client = await open('beta');
  await client.call({ type: 'status' });
  await client.call({ type: 'cancel', target: 77 });
  await broker.stop();
  assert.equal(sink.text, '');
});

test('of what is not found stands what was asked for', async (t) => {
  const { open, lines } = await startAudited(t);
  const client = await open('beta');
  await client.refused('notFound', get('nothing'));
  await client.refused('notFound', getId(77));
  await client.refused('notFound', { type: 'drop', selector: { by: 'digest', digest: DIGEST } });
  const asked = { ...BLANK, result: 'not_found', job_id: 'beta' };
  const found = (await lines(3)).map(facts);
  assert.deepEqual(
    found.map((line) => ({ ...line, error: null })),
    [
      { ...asked, op: 'get', selector: 'name', name: 'nothing' },
      { ...asked, op: 'get', selector: 'id', object_id: 77 },
      { ...asked, op: 'drop', selector: 'digest', digest: `sha256:${DIGEST}` },
    ],
  );
  assert.match(found[0]?.error ?? '', /no object with name "nothing"/);
});

test('forbidden: a job that may look and not drop, and one that puts for another', async (t) => {
  const { open, lines } = await startAudited(t);
  const [owner, reader] = [await open('owner'), await open('reader')];
  await owner.put('shared', { allowed: ['reader'] }, CONTENT);
  await reader.refused('accessDenied', drop('shared'));
  using memfd = Memfd.sealed('test', CONTENT);
  await reader.refused('accessDenied', putCall('x', 5, { owner: 'owner' }), [memfd.fd]);
  const [, dropped, put] = (await lines(3)).map(facts);
  const { error: _, ...rest } = dropped ?? {};
  const { error: __, ...blank } = BLANK;
  assert.deepEqual(rest, {
    ...blank,
    op: 'drop',
    result: 'forbidden',
    selector: 'name',
    name: 'shared',
    job_id: 'reader',
  });
  assert.equal(put?.result, 'forbidden');
  assert.deepEqual([put.name, put.size, put.job_id], ['x', 5, 'reader']);
});

test('bad requests of every kind, with what was stated', async (t) => {
  const { open, lines } = await startAudited(t);
  const client = await open();
  using unsealed = Memfd.create('test', 5);
  using memfd = Memfd.sealed('test', CONTENT);
  await client.refused('notSealed', putCall('a', 5), [unsealed.fd]);
  await client.refused('sizeMismatch', putCall('b', 6), [memfd.fd]);
  await client.refused('wrongDescriptor', putCall('c', 5), []);
  await client.refused('digestMismatch', putCall('d', 5, { digest: 'ab'.repeat(32) }), [memfd.fd]);
  await client.refused('badRequest', putCall('e', 5, { allowed: ['job'] }), [memfd.fd]);
  const found = (await lines(5)).map(facts);
  assert.deepEqual(
    found.map(({ op, result, name, size, digest }) => ({ op, result, name, size, digest })),
    [
      { op: 'put', result: 'bad_request', name: 'a', size: 5, digest: null },
      { op: 'put', result: 'bad_request', name: 'b', size: 6, digest: null },
      { op: 'put', result: 'bad_request', name: 'c', size: 5, digest: null },
      { op: 'put', result: 'bad_request', name: 'd', size: 5, digest: `sha256:${'ab'.repeat(32)}` },
      { op: 'put', result: 'bad_request', name: 'e', size: 5, digest: null },
    ],
  );
  for (const { error } of found) assert.notEqual(error, null);
});

test('who has no job and puts for one acts for that one', async (t) => {
  const { open, lines } = await startAudited(t);
  await (await open()).put('a', { owner: 'alpha' }, CONTENT);
  assert.equal((await lines(1))[0]?.job_id, 'alpha');
});

test('errors: limits, and what was done although its client can not be told', async (t) => {
  const { open, lines } = await startAudited(t, { maxObjectBytes: 8 });
  const client = await open(undefined, { maxMessageBytes: 4_096 });
  using large = Memfd.sealed('test', new Uint8Array(9));
  await client.refused('limitExceeded', putCall('large', 9), [large.fd]);
  using memfd = Memfd.sealed('test', CONTENT);
  const metadata = { key: 'x'.repeat(3_900) };
  const name = 'there'.padEnd(600, '.');
  await client.refused('limitExceeded', putCall(name, 5, { metadata }), [memfd.fd]);
  const [refused, done] = (await lines(2)).map(facts);
  assert.deepEqual([refused?.result, refused?.object_id, refused?.size], ['error', null, 9]);
  assert.deepEqual([done?.result, done?.object_id, done?.name], ['error', 1, name]);
  assert.match(done?.error ?? '', /the answer has \d+ bytes/);
});

test('a get that waits is a line when it ends: with the object, canceled, or with its connection', async (t) => {
  const { open, lines } = await startAudited(t);
  const [client, other] = [await open(), await open()];
  const delivered = client.call(get('a', true));
  await other.put('a', {}, CONTENT);
  await delivered;
  const canceled = client.call(get('b', true));
  await client.call({ type: 'cancel', target: client.lastId });
  await canceled;
  void client.call(get('c', true)).catch(() => undefined);
  await client.call({ type: 'status' });
  client.close();
  const found = (await lines(4)).map(facts);
  const by = (name: string) => found.filter((line) => line.op === 'get' && line.name === name);
  assert.deepEqual(by('a'), [
    { ...BLANK, op: 'get', result: 'ok', selector: 'name', object_id: 1, name: 'a', size: 5 },
  ]);
  assert.equal(by('b')[0]?.result, 'error');
  assert.match(by('b')[0]?.error ?? '', /canceled/);
  assert.match(by('c')[0]?.error ?? '', /the connection is closed/);
});

test('what can not be read is unknown, and ends its connection', async (t) => {
  const { open, connect, lines } = await startAudited(t);
  const client = await open('beta');
  await client.provoke(new Uint8Array(40).fill(0xff));
  const stranger = connect();
  await stranger.provoke(encodeRequest({ type: 'status', requestId: 1 }));
  const torn = await open();
  const bytes = encodeRequest({ ...(get('name') as Extract<Call, { type: 'get' }>), requestId: 9 });
  // A lone byte of UTF-8 in the name.
  bytes[bytes.length - 1] = 0xff;
  await torn.provoke(bytes);
  const found = (await lines(3)).map(facts);
  for (const line of found) {
    assert.deepEqual(
      { ...line, error: null, job_id: null },
      { ...BLANK, op: 'unknown', result: 'bad_request' },
    );
    assert.notEqual(line.error, null);
  }
  assert.deepEqual(
    found.map((line) => line.job_id),
    ['beta', null, null],
  );
});

test('a connection that is refused is a line, told or not', async (t) => {
  const { open, connect, lines } = await startAudited(t, { maxConnections: 1 });
  await open();
  const second = connect();
  await second.hello().catch(() => undefined);
  connect().close();
  const found = (await lines(2)).map(facts);
  for (const line of found) {
    assert.deepEqual({ ...line, error: null }, { ...BLANK, op: 'connect', result: 'error' });
    assert.match(line.error ?? '', /there are 1 connections/);
  }
});

test('a greeting in another language is a refused connection', async (t) => {
  const { connect, lines } = await startAudited(t);
  const client = connect();
  const limits = { maxPacketBytes: 65_536, maxMessageBytes: 65_536 };
  await client.provoke(
    encodeRequest({ type: 'hello', requestId: 1, minVersion: 7, maxVersion: 9, ...limits }),
  );
  const [line] = (await lines(1)).map(facts);
  assert.deepEqual([line?.op, line?.result], ['connect', 'error']);
});

test('a job that is not theirs, and a new policy that admits a client no more, are refused connections', async (t) => {
  const uid = process.getuid?.() ?? -1;
  const { connect, open, broker, lines } = await startAudited(t, {
    policy: {
      jobs: [
        { ids: ['forged'], users: [uid + 1] },
        { ids: ['honest'], users: [uid] },
      ],
    },
  });
  const forger = connect();
  assert.equal((await forger.hello('forged')).response.type, 'error');
  const honest = await open('honest');
  const waiting = honest.call(get('never', true));
  await honest.call({ type: 'status' });
  broker.setPolicy({ jobs: [{ ids: ['*'], users: [uid + 1] }] });
  assert.equal((await waiting).response.type, 'error');
  await honest.refused('accessDenied', get('late'));
  const found = (await lines(3)).map(facts);
  assert.deepEqual(
    found.map(({ op, result, name, job_id }) => [op, result, name, job_id]),
    [
      ['connect', 'forbidden', null, 'forged'],
      ['connect', 'forbidden', null, 'honest'],
      ['get', 'forbidden', 'never', 'honest'],
    ],
  );
});

test('names of every kind stand in their lines and forge none', async (t) => {
  const { open, lines } = await startAudited(t);
  const client = await open('evil\n{"op":"get"}');
  const names = [
    'a\nb',
    '"},{"op":"drop"',
    '\u2028\u2029\u0085',
    '\x00\x1b[2J',
    'größe 😀',
    '\\u0041',
    'x'.repeat(30_000),
  ];
  for (const name of names) await client.put(name, {}, CONTENT);
  for (const name of names) await client.ask(get(name));
  const found = await lines(2 * names.length);
  assert.deepEqual(
    found.map((line) => line.name),
    [...names, ...names],
  );
  assert(found.every((line) => line.job_id === 'evil\n{"op":"get"}'));
});

test('many clients at once: as many lines as requests, each with its outcome', async (t) => {
  const { open, lines } = await startAudited(t);
  const clients: RawClient[] = await Promise.all(
    Array.from({ length: 10 }, (_, index) => open(`job${index}`)),
  );
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < 100; round++) {
        const name = `${index}/${round}`;
        await client.put(name, {}, CONTENT);
        await Promise.all([client.ask(get(name)), client.refused('notFound', get(`${name}/none`))]);
      }
    }),
  );
  const found = await lines(3_000);
  for (let index = 0; index < 10; index++) {
    const own = found.filter((line) => line.job_id === `job${index}`);
    assert.equal(own.length, 300);
    assert.equal(
      own.filter((line) => line.result === 'not_found' && line.name?.endsWith('/none')).length,
      100,
    );
    for (const line of own) assert(line.name?.startsWith(`${index}/`));
  }
});

test('requests that the end of the broker answers are lines too', async (t) => {
  const socket = join(directory(t), 'broker.sock');
  const { open, broker, sink } = await startAudited(t, { socket });
  const client = await open();
  void client.call(get('never', true)).catch(() => undefined);
  await client.call({ type: 'status' });
  await broker.stop();
  const [line] = sink.lines.map(facts);
  assert.deepEqual([line?.op, line?.result, line?.name], ['get', 'error', 'never']);
  assert.match(line?.error ?? '', /the broker is stopping/);
});
