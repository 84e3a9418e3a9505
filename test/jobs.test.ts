// Jobs and users: who may see, get and drop what, as docs/blobs.md draws it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bus } from 'sealane';
import { collect, TestBroker } from './bus.js';

const DENIED = { code: 'ERR_SEALANE_ACCESS_DENIED' };

async function text(bus: Bus, target: string | number): Promise<string> {
  using blob = await bus.get(target);
  return blob.text();
}

test('the owner may do all, allowed jobs may look, others are refused, a bus without a job may do all', async () => {
  await using broker = await TestBroker.start();
  const owner = await broker.connect({ jobId: 'owner' });
  const allowed = await broker.connect({ jobId: 'allowed' });
  const other = await broker.connect({ jobId: 'other' });
  const unscoped = await broker.connect();
  const { id } = await owner.put(Buffer.from('mine'), { name: 'n', allow: ['allowed', 'second'] });
  for (const bus of [owner, allowed, unscoped]) {
    assert.equal(await text(bus, 'n'), 'mine');
    assert.equal(await text(bus, id), 'mine');
    assert.equal((await collect(bus.list())).length, 1);
    assert.equal((await bus.stat(id)).owner, 'owner');
  }
  await assert.rejects(other.get('n'), DENIED);
  await assert.rejects(other.get(id), DENIED);
  await assert.rejects(other.stat(id), DENIED);
  assert.deepEqual(await collect(other.list()), []);
  await assert.rejects(other.drop(id), DENIED);
  await assert.rejects(allowed.drop(id), DENIED);
  await assert.rejects(allowed.drop('n'), DENIED);
  await owner.drop('n');
  await assert.rejects(owner.get('n'), { code: 'ERR_SEALANE_NOT_FOUND' });
});

test('an object without owner belongs to everyone of the user', async () => {
  await using broker = await TestBroker.start();
  const unscoped = await broker.connect();
  const job = await broker.connect({ jobId: 'any' });
  await unscoped.put(Buffer.from('ours'), { name: 'n' });
  assert.equal(await text(job, 'n'), 'ours');
  await job.drop('n');
});

test("another job's object never hides one's own", async () => {
  await using broker = await TestBroker.start();
  const a = await broker.connect({ jobId: 'a' });
  const b = await broker.connect({ jobId: 'b' });
  const unscoped = await broker.connect();
  await a.put(Buffer.from("a's"), { name: 'n' });
  await b.put(Buffer.from("b's"), { name: 'n' });
  assert.equal(await text(a, 'n'), "a's");
  assert.equal(await text(b, 'n'), "b's");
  assert.equal(await text(unscoped, 'n'), "b's");
  await unscoped.drop('n');
  assert.equal(await text(unscoped, 'n'), "a's");
});

test('a bus with a job may name only itself as owner; one without may name any', async () => {
  await using broker = await TestBroker.start();
  const job = await broker.connect({ jobId: 'a' });
  const unscoped = await broker.connect();
  await assert.rejects(job.put(Buffer.from('x'), { owner: 'b' }), DENIED);
  assert.equal((await job.put(Buffer.from('x'), { owner: 'a' })).owner, 'a');
  assert.equal((await job.put(Buffer.from('x'))).owner, 'a');
  assert.equal((await unscoped.put(Buffer.from('x'), { owner: 'b' })).owner, 'b');
});

test('a watch and a wait see what their job may see', async () => {
  await using broker = await TestBroker.start();
  const a = await broker.connect({ jobId: 'a' });
  const b = await broker.connect({ jobId: 'b' });
  const waiting = b.wait('n');
  const watch = b.watch('*');
  const watched = watch.next();
  await a.put(Buffer.from('hidden'), { name: 'n' });
  await a.put(Buffer.from('shared'), { name: 'n', allow: ['b'] });
  using blob = await waiting;
  assert.equal(blob.text(), 'shared');
  using seen = (await watched).value;
  assert.equal(seen?.text(), 'shared');
  await watch.return();
});

test('the job comes from the environment when none is given', async (context) => {
  await using broker = await TestBroker.start();
  process.env.SEALANE_JOB_ID = 'from-environment';
  context.after(() => delete process.env.SEALANE_JOB_ID);
  const bus = await broker.connect();
  assert.equal((await bus.put(Buffer.from('x'))).owner, 'from-environment');
});
