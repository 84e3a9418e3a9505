/** A policy holds for memfdbus clients as for native ones: who they are the kernel says, which job they may act as the policy. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BLOB_SEALS } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { MEMFDBUS_COMMAND } from '../../wire/index.js';
import type { PolicyOptions } from '../policy/options.js';
import { putCall, until } from '../raw-client.test.helper.js';
import { digestOf, MemfdbusBroker, type Reply, refused, requestOf, succeeded } from './client.test.helper.js';

const OWN = process.geteuid?.() ?? -1;
/** A user that need not exist. */
const OTHER = 4_242;
const notRoot = process.getuid?.() === 0 ? false : 'only root can become another user';

/** Its own user may put everything, and act as two jobs. */
const POLICY: PolicyOptions = {
  jobs: [{ users: [OWN], ids: ['trainer', 'server'] }],
  grants: [{ users: [OWN], names: ['*'], may: ['put'] }],
};

async function start(t: TestContext, policy: PolicyOptions = POLICY): Promise<MemfdbusBroker> {
  const broker = await MemfdbusBroker.start(t, { policy, helloTimeoutMs: 3_600_000 });
  chmodSync(dirname(broker.path), 0o755);
  return broker;
}

function denied(reply: Reply, command: keyof typeof MEMFDBUS_COMMAND): void {
  refused(reply, 'forbidden', 'access denied', MEMFDBUS_COMMAND[command]);
}

test('nobody acts under a job that is not theirs, and without a job nobody sees what a job owns', async (t) => {
  const broker = await start(t);
  await broker.put('theirs', '1', { job: 'trainer', allowed: 'server' });
  await broker.put('open', '2');
  denied(await broker.ask('get', { name: 'theirs', job: 'forged' }), 'get');
  denied(await broker.ask('list', { job: 'forged' }), 'list');
  denied(await broker.ask('get', { name: 'theirs' }), 'get');
  denied(await broker.ask('drop', { name: 'theirs', job: 'server' }), 'drop');
  const names = async (job?: string): Promise<string[]> => {
    const { text } = succeeded(await broker.ask('list', job === undefined ? {} : { job }));
    return text.split('\n').flatMap((line) => line.split('\t')[5] ?? []);
  };
  assert.deepEqual(await names(), ['open']);
  assert.deepEqual(await names('server'), ['theirs', 'open']);
  assert.equal(succeeded(await broker.ask('get', { name: 'theirs', job: 'server' })).name, 'theirs');
});

test('a put needs a grant for its name, and its quota', async (t) => {
  const broker = await start(t, {
    ...POLICY,
    grants: [{ users: [OWN], names: ['camera/*'], may: ['put'] }],
    quotas: [{ users: [OWN], maxObjects: 1 }],
  });
  using memfd = Memfd.sealed('test', Buffer.from('x'));
  const put = (name: string) => broker.ask('put', { name, size: 1n, text: digestOf('x') }, [memfd.fd]);
  denied(await put('microphone'), 'put');
  succeeded(await put('camera/1'));
  refused(await put('camera/2'), 'error', 'broker object quota exceeded', MEMFDBUS_COMMAND.put);
  assert.equal(broker.native.broker.status().bytes, 1);
});

test('another user has what is granted by name, and nothing else', { skip: notRoot }, async (t) => {
  const broker = await start(t, {
    admit: [{ users: [OTHER] }],
    grants: [...(POLICY.grants ?? []), { users: [OTHER], names: ['camera/*'], may: ['get', 'list'] }],
  });
  await broker.put('camera/1', '1');
  await broker.put('secret', '2');
  const ask = async (command: keyof typeof MEMFDBUS_COMMAND, name?: string): Promise<Reply> => {
    const client = broker.connectAs(OTHER);
    client.send(requestOf(MEMFDBUS_COMMAND[command], name === undefined ? {} : { name }));
    const reply = await client.reply();
    assert(reply !== undefined);
    return reply;
  };
  assert.equal(succeeded(await ask('get', 'camera/1')).name, 'camera/1');
  denied(await ask('get', 'secret'), 'get');
  denied(await ask('drop', 'camera/1'), 'drop');
  assert.equal(succeeded(await ask('list')).text.split('\n').length, 2);
  broker.native.broker.setPolicy(POLICY);
  refused(await broker.connectAs(OTHER).reply(), 'forbidden', 'access denied', 0);
});

test('a new policy ends the requests that it does not admit', async (t) => {
  const broker = await start(t);
  using large = Memfd.create('test', 2 ** 30);
  large.seal(BLOB_SEALS);
  const put = broker.ask('put', { name: 'large', size: 2n ** 30n, text: digestOf(''), job: 'trainer' }, [
    large.fd,
  ]);
  await until('it is hashed', () => broker.native.broker.status().bytes > 0);
  broker.native.broker.setPolicy({ ...POLICY, jobs: [] });
  denied(await put, 'put');
  await until('nothing is left of it', () => broker.native.broker.status().bytes === 0);
  denied(await broker.ask('list', { job: 'trainer' }), 'list');
  succeeded(await broker.ask('list'));
});

test('what is hashed while a new policy comes is put, handed out and listed only as that says', async (t) => {
  const jobs = [{ everyone: true, ids: ['maker', 'viewer'] }];
  const grants = (names: string, put: string): PolicyOptions['grants'] => [
    { jobs: ['viewer'], names: [names], may: ['get', 'list'] },
    { jobs: ['maker'], names: [put], may: ['put'] },
  ];
  const broker = await start(t, { jobs, grants: grants('*', '*') });
  const maker = await broker.native.open('maker');
  await maker.put('secret/1', { contentAddressed: true });
  for (const name of ['secret/2', 'camera/1'])
    await maker.ask(putCall(name, LARGE_BYTES), [largeMemfd(t).fd]);
  const get = broker.ask('get', { name: 'secret/2', job: 'viewer' });
  const list = broker.ask('list', { job: 'viewer' });
  const size = BigInt(LARGE_BYTES);
  const digest = 'a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484';
  const put = broker.ask('put', { name: 'secret/3', size, text: `sha256:${digest}`, job: 'maker' }, [
    largeMemfd(t).fd,
  ]);
  await until('all have come', () => broker.native.broker.status().connections === 4);
  await maker.call({ type: 'status' });
  broker.native.broker.setPolicy({ jobs, grants: grants('camera/*', 'camera/*') });
  denied(await get, 'get');
  denied(await put, 'put');
  const { text } = succeeded(await list);
  assert.deepEqual(
    text.split('\n').flatMap((line) => line.split('\t')[5] ?? []),
    ['camera/1'],
  );
  assert.equal(broker.native.broker.status().objects, 3);
});

/** Its digest takes 32 turns of the event loop. It is sparse. */
const LARGE_BYTES = 2 ** 28;

function largeMemfd(t: TestContext): Memfd {
  const memfd = Memfd.create('large', LARGE_BYTES);
  memfd.seal(BLOB_SEALS);
  t.after(() => memfd.close());
  return memfd;
}
