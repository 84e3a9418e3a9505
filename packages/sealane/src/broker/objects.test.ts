/** put, get, stat, drop and list over real sockets. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import type { ObjectInfo } from '../wire/index.js';
import {
  type Call,
  drop,
  get,
  getId,
  putCall,
  type RawClient,
  readText,
  sealed,
  startBroker,
} from './raw-client.test.helper.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex');
const stat = (name: string, digest = false): Call => ({
  type: 'stat',
  selector: { by: 'name', name },
  digest,
});
const list = (fields: Partial<Omit<Extract<Call, { type: 'list' }>, 'type'>> = {}): Call => ({
  type: 'list',
  after: 0,
  limit: 1_000,
  digests: false,
  ...fields,
});

async function names(
  client: RawClient,
  fields: Parameters<typeof list>[0] = {},
): Promise<(string | undefined)[]> {
  const found: ObjectInfo[] = [];
  for (let after = 0; ; ) {
    const { response } = await client.call(list({ ...fields, after }));
    assert(response.type === 'list');
    found.push(...response.objects);
    if (response.next === 0) return found.map(({ name }) => name);
    after = response.next;
  }
}

test('what one client puts another gets by name, by id and by digest, as the same memory', async (t) => {
  const { open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  using memfd = Memfd.sealed('test', text('hello'));
  const put = await producer.ask(putCall('a', 5, { contentAddressed: true, metadata: { type: 'text' } }), [
    memfd.fd,
  ]);
  assert.equal(put.digest, sha256('hello'));
  const selectors = [
    { by: 'name', name: 'a' },
    { by: 'id', id: put.id },
    { by: 'digest', digest: sha256('hello') },
  ] as const;
  for (const selector of selectors) {
    const { response, descriptors } = await consumer.call({ type: 'get', selector, wait: false });
    assert(response.type === 'get');
    assert.deepEqual(response.object, put);
    const [fd = -1] = descriptors;
    assert.equal(readText(fd), 'hello');
    assert.equal(inspect(fd).inode, inspect(memfd.fd).inode);
  }
});

test('an object without a name is found by its id only, and a content-addressed one is called as its digest', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const nameless = await client.put(undefined);
  assert.equal(nameless.name, undefined);
  assert.equal((await client.ask(getId(nameless.id))).id, nameless.id);
  const addressed = await client.put(undefined, { contentAddressed: true }, text('x'));
  assert.equal(addressed.name, `sha256:${sha256('x')}`);
});

test('an empty object can be put, hashed and got', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const put = await client.put('empty', { contentAddressed: true }, new Uint8Array(0));
  assert.equal(put.digest, sha256(''));
  assert.equal((await client.ask(get('empty'))).size, 0);
});

test('a put whose content has another digest than stated is refused and leaves nothing', async (t) => {
  const { broker, open } = await startBroker(t);
  const client = await open();
  const fields = { digest: sha256('other') };
  await client.refused('digestMismatch', putCall('a', 1, fields), [sealed(t, 'x').fd]);
  await client.refused('notFound', get('a'));
  assert.deepEqual([broker.status().objects, broker.status().bytes], [0, 0]);
  const right = await client.put('a', { digest: sha256('x') }, text('x'));
  assert.equal(right.digest, sha256('x'));
});

test('content that is there already is kept once, whoever of the same user puts it again', async (t) => {
  const { broker, open } = await startBroker(t);
  const [first, second] = [await open(), await open()];
  await first.put('a', { contentAddressed: true }, text('same'));
  await second.put('b', { contentAddressed: true }, text('same'));
  assert.deepEqual([broker.status().objects, broker.status().bytes], [2, 4]);
  const got = [await first.call(get('a')), await first.call(get('b'))].map(
    ({ descriptors: [fd = -1] }) => inspect(fd).inode,
  );
  assert.equal(got[0], got[1]);
  await first.ask(drop('a'));
  assert.equal(readText((await first.call(get('b'))).descriptors[0] ?? -1), 'same');
});

test('stat computes a digest when it is asked to, and it is remembered', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  await client.put('a', {}, text('x'));
  assert.equal((await client.ask(stat('a'))).digest, undefined);
  assert.equal((await client.ask(stat('a', true))).digest, sha256('x'));
  assert.equal((await client.ask(stat('a'))).digest, sha256('x'));
  const found = await client.ask({
    type: 'get',
    selector: { by: 'digest', digest: sha256('x') },
    wait: false,
  });
  assert.equal(found.name, 'a');
});

test('an object outlives its drop for whoever holds it, and a drop uncovers the version before', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  await client.put('a', {}, text('old'));
  await client.put('a', {}, text('new'));
  const held = (await client.call(get('a'))).descriptors[0] ?? -1;
  await client.ask(drop('a'));
  assert.equal(readText(held), 'new');
  assert.equal(readText((await client.call(get('a'))).descriptors[0] ?? -1), 'old');
  await client.ask(drop('a'));
  await client.refused('notFound', get('a'));
  await client.refused('notFound', drop('a'));
  assert.equal(readText(held), 'new');
});

test('an object is gone after its time to live', async (t) => {
  const { broker, open } = await startBroker(t);
  const client = await open();
  const put = await client.put('a', { ttlMs: 40 });
  assert.equal(put.expiresAtMs, put.createdAtMs + 40);
  await client.put('kept', { ttlMs: 600_000 });
  await sleep(41);
  await client.refused('notFound', get('a'));
  await client.ask(get('kept'));
  assert.equal(broker.status().objects, 1);
});

test('a list has pages in the order of ids and ends with cursor 0', async (t) => {
  const { open } = await startBroker(t, { maxListEntries: 3 });
  const client = await open();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await client.put(name);
  const { response } = await client.call(list());
  assert(response.type === 'list');
  assert.deepEqual(
    response.objects.map(({ name }) => name),
    ['a', 'b', 'c'],
  );
  assert.equal(response.next, 3);
  assert.deepEqual(await names(client), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  assert.deepEqual(await names(client, { limit: 1 }), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});

test('a list follows a pattern, shows all versions, and objects without a name only without a pattern', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  for (const name of ['a/1', 'b/1', 'a/1', undefined, 'a/2']) await client.put(name);
  assert.deepEqual(await names(client, { pattern: 'a/*' }), ['a/1', 'a/1', 'a/2']);
  assert.deepEqual(await names(client, { pattern: '*' }), ['a/1', 'b/1', 'a/1', 'a/2']);
  assert.deepEqual(await names(client), ['a/1', 'b/1', 'a/1', undefined, 'a/2']);
});

test('a list that asks for digests has all of them', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  for (const name of ['a', 'b', 'c']) await client.put(name, {}, text(name));
  const { response } = await client.call(list({ digests: true }));
  assert(response.type === 'list');
  assert.deepEqual(
    response.objects.map(({ digest }) => digest),
    ['a', 'b', 'c'].map(sha256),
  );
});

test('a page never exceeds the message that the client takes, however long the names are', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const long = ['x', 'y', 'z'].map((letter) => letter.repeat(20_000));
  for (const name of long) await client.put(name);
  const small = await open(undefined, { maxMessageBytes: 50_000 });
  assert.deepEqual(await names(small), long);
  const tiny = await open(undefined, { maxMessageBytes: 4_096 });
  assert.match(await tiny.refused('limitExceeded', list()), /maxMessageBytes/);
});

test('a list of many objects costs a bounded amount each time and misses none', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const memfd = sealed(t, '12345678');
  const all = await Promise.all(
    Array.from({ length: 2_000 }, (_, index) => client.ask(putCall(`name-${index}`, 8), [memfd.fd])),
  );
  assert.equal((await names(client)).length, all.length);
  assert.deepEqual(await names(client, { pattern: '*-1999' }), ['name-1999']);
});

test('jobs see what they own, what they are allowed, and what has no owner', async (t) => {
  const { open } = await startBroker(t);
  const [unscoped, alpha, beta, gamma] = [
    await open(),
    await open('alpha'),
    await open('beta'),
    await open('gamma'),
  ];
  const shared = await alpha.put('shared', { allowed: ['beta'] });
  assert.deepEqual([shared.owner, shared.allowed], ['alpha', ['beta']]);
  await alpha.put('private');
  await unscoped.put('open');
  assert.deepEqual(await names(unscoped), ['shared', 'private', 'open']);
  assert.deepEqual(await names(alpha), ['shared', 'private', 'open']);
  assert.deepEqual(await names(beta), ['shared', 'open']);
  assert.deepEqual(await names(gamma), ['open']);
  await beta.ask(get('shared'));
  await beta.ask(stat('shared', true));
  await beta.refused('accessDenied', drop('shared'));
  await beta.refused('accessDenied', get('private'));
  await beta.refused('accessDenied', getId(shared.id + 1));
  await gamma.refused('accessDenied', get('shared'));
  await gamma.refused('notFound', get('nothing'));
  await gamma.ask(drop('open'));
  await unscoped.ask(drop('private'));
  await alpha.ask(drop('shared'));
});

test('a job puts for itself only, and allowed jobs need an owner', async (t) => {
  const { open } = await startBroker(t);
  const [unscoped, alpha] = [await open(), await open('alpha')];
  const fd = sealed(t, 'x').fd;
  await alpha.refused('accessDenied', putCall('a', 1, { owner: 'beta' }), [fd]);
  assert.match(await unscoped.refused('badRequest', putCall('a', 1, { allowed: ['beta'] }), [fd]), /owner/);
  assert.equal(
    (await unscoped.ask(putCall('a', 1, { owner: 'beta', allowed: ['alpha'] }), [fd])).owner,
    'beta',
  );
  await alpha.ask(get('a'));
});

test('status tells how many objects and bytes there are, and who asks', async (t) => {
  const { broker, open } = await startBroker(t);
  const client = await open();
  await client.put('a', {}, text('12345'));
  const { response } = await client.call({ type: 'status' });
  assert(response.type === 'status');
  const { objects, bytes, connections, watches, pid, version, limits } = response;
  assert.deepEqual([objects, bytes, connections, watches, pid], [1, 5, 1, 0, process.pid]);
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.deepEqual(limits, broker.status().limits);
});
