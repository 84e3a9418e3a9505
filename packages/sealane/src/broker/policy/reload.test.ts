/** A new policy while watches, waits, lists and puts are under way: from then on nothing happens that it does not grant. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BLOB_SEALS } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { STATUS } from '../../wire/index.js';
import { forkClient } from '../child.test.helper.js';
import {
  type Answer,
  type Call,
  get,
  putCall,
  type RawClient,
  startBroker,
  type TestBroker,
  until,
  watch,
} from '../raw-client.test.helper.js';
import type { PolicyGrant, PolicyOptions } from './options.js';

/** Its digest takes 32 turns of the event loop, and fits a page of a list. It is sparse. */
const LARGE_BYTES = 2 ** 28;

const LONG_MS = 3_600_000;

const status: Call = { type: 'status' };
const next = (id: number): Call => ({ type: 'next', watch: id });

/** Job `maker` may put everything; job `viewer` has these grants. */
function policy(...grants: Pick<PolicyGrant, 'names' | 'may'>[]): PolicyOptions {
  return {
    jobs: [{ ids: ['maker', 'viewer'], everyone: true }],
    grants: [
      { jobs: ['maker'], names: ['*'], may: ['put'] },
      ...grants.map((grant) => ({ ...grant, jobs: ['viewer'] })),
    ],
  };
}

const ALL = policy({ names: ['*'], may: ['get', 'list'] });
const CAMERAS = policy({ names: ['camera/*'], may: ['get', 'list'] });

interface Scene extends TestBroker {
  readonly maker: RawClient;
  readonly viewer: RawClient;
}

async function scene(t: TestContext, first: PolicyOptions): Promise<Scene> {
  const made = await startBroker(t, { policy: first, helloTimeoutMs: LONG_MS });
  return { ...made, maker: await made.open('maker'), viewer: await made.open('viewer') };
}

/** Sends a request, and resolves with its answer to come when the broker has taken it. */
async function begun(
  client: RawClient,
  call: Call,
  descriptors: number[] = [],
): Promise<{ answer: Promise<Answer> }> {
  const answer = client.call(call, descriptors);
  await client.call(status);
  return { answer };
}

function large(t: TestContext): Memfd {
  const memfd = Memfd.create('large', LARGE_BYTES);
  memfd.seal(BLOB_SEALS);
  t.after(() => memfd.close());
  return memfd;
}

async function denied(answer: Promise<Answer>): Promise<void> {
  const { response } = await answer;
  assert(response.type === 'error', `it was answered with ${response.type}`);
  assert.equal(response.status, STATUS.accessDenied, response.text);
}

test('what waits in a watch of every version is delivered only if it is still granted', async (t) => {
  const { broker, maker, viewer } = await scene(t, ALL);
  const { response } = await viewer.call(watch('*', { every: true }));
  const first = viewer.ask(next(response.requestId));
  const ids: number[] = [];
  for (const name of ['camera/1', 'camera/2', 'secret/1', 'secret/2', 'camera/3'])
    ids.push((await maker.put(name)).id);
  assert.equal((await first).id, ids[0]);
  broker.setPolicy(CAMERAS);
  assert.equal((await viewer.ask(next(response.requestId))).id, ids[1]);
  assert.equal((await viewer.ask(next(response.requestId))).id, ids[4]);
  const last = await begun(viewer, next(response.requestId));
  await maker.put('secret/3');
  const later = await maker.put('camera/4');
  const { response: told } = await last.answer;
  assert(told.type === 'next' && told.object.id === later.id);
});

test('what a watch of the newest has not met yet is met only if it is still granted', async (t) => {
  const { broker, maker, viewer } = await scene(t, ALL);
  await maker.put('secret');
  const camera = await maker.put('camera/1');
  const { response } = await viewer.call(watch('*'));
  broker.setPolicy(CAMERAS);
  assert.equal((await viewer.ask(next(response.requestId))).id, camera.id);
});

test('the pages of a list that come later have what is granted then', async (t) => {
  const { broker, maker, viewer } = await scene(t, ALL);
  for (const name of ['secret/1', 'camera/1', 'secret/2', 'camera/2']) await maker.put(name);
  const page = async (after: number): Promise<[names: (string | undefined)[], next: number]> => {
    const { response } = await viewer.call({ type: 'list', after, limit: 2, digests: false });
    assert(response.type === 'list');
    return [response.objects.map(({ name }) => name), response.next];
  };
  const [names, cursor] = await page(0);
  assert.deepEqual(names, ['secret/1', 'camera/1']);
  broker.setPolicy(CAMERAS);
  assert.deepEqual(await page(cursor), [['camera/2'], 0]);
});

test('digests that are computed for a list or a stat tell nothing of what is granted no more', async (t) => {
  const { broker, maker, viewer } = await scene(t, ALL);
  await maker.put('camera/1');
  await maker.ask(putCall('secret', LARGE_BYTES), [large(t).fd]);
  const list = await begun(viewer, { type: 'list', after: 0, limit: 9, digests: true });
  const stat = await begun(viewer, { type: 'stat', selector: { by: 'name', name: 'secret' }, digest: true });
  broker.setPolicy(CAMERAS);
  const { response } = await list.answer;
  assert(response.type === 'list');
  assert.deepEqual(
    response.objects.map(({ name }) => name),
    ['camera/1'],
  );
  await denied(stat.answer);
});

test('a put whose digest is being verified is refused when it is granted no more, and leaves nothing', async (t) => {
  const { broker, maker } = await scene(t, ALL);
  const put = await begun(maker, putCall('large', LARGE_BYTES, { contentAddressed: true }), [large(t).fd]);
  const named = await begun(maker, putCall(undefined, LARGE_BYTES, { contentAddressed: true }), [
    large(t).fd,
  ]);
  broker.setPolicy({ ...ALL, grants: [{ jobs: ['maker'], names: ['camera/*'], may: ['put'] }] });
  await denied(put.answer);
  await denied(named.answer);
  assert.deepEqual([broker.status().objects, broker.status().bytes], [0, 0]);
});

test('a put for a job that its user may not act under any more is refused', async (t) => {
  const bound = policy();
  const { broker, open } = await scene(t, {
    ...bound,
    grants: [{ everyone: true, names: ['*'], may: ['put'] }],
  });
  const jobless = await open();
  const fields = { contentAddressed: true, owner: 'maker' };
  const put = await begun(jobless, putCall('large', LARGE_BYTES, fields), [large(t).fd]);
  broker.setPolicy({ grants: [{ everyone: true, names: ['*'], may: ['put'] }] });
  await denied(put.answer);
  assert.equal(broker.status().objects, 0);
});

test('who waits for what a new policy grants gets what is there already', async (t) => {
  const { broker, maker, viewer } = await scene(t, policy());
  const secret = await maker.put('secret');
  const wait = await begun(viewer, get('secret', true));
  const { response } = await viewer.call(watch('secret'));
  const told = await begun(viewer, next(response.requestId));
  broker.setPolicy(ALL);
  for (const { answer } of [wait, told]) {
    const { response: object } = await answer;
    assert('object' in object && object.object.id === secret.id, JSON.stringify(object));
  }
});

test('who may not act as its job any more hears it on every request, unread ones included, and is disconnected', async (t) => {
  const { broker, viewer, maker } = await scene(t, ALL);
  const wait = await begun(viewer, get('never', true));
  const { response } = await viewer.call(watch('*'));
  const told = await begun(viewer, next(response.requestId));
  // These lie in the socket, more than are read in one turn, when the policy changes.
  const unread = Array.from({ length: 40 }, () => viewer.call(status));
  broker.setPolicy({ ...ALL, jobs: [{ ids: ['maker'], everyone: true }] });
  await denied(wait.answer);
  await denied(told.answer);
  for (const answer of unread) await denied(answer);
  await viewer.ended;
  await maker.put('a');
  await until('only one is left', () => broker.status().connections === 1);
});

test('who is dismissed can not put off its end by asking on', async (t) => {
  const { broker, viewer } = await scene(t, ALL);
  broker.setPolicy({ ...ALL, jobs: [{ ids: ['maker'], everyone: true }] });
  let ended = false;
  void viewer.ended.then(() => {
    ended = true;
  });
  await until('it is disconnected', () => {
    if (!ended) viewer.call(status).catch(() => undefined);
    return ended;
  });
});

test('who is admitted no more before it has said hello hears it as the answer', {
  skip: process.getuid?.() === 0 ? false : 'only root can become another user',
}, async (t) => {
  const uid = 700_000 + process.pid;
  const { broker } = await startBroker(t, { policy: { admit: [{ users: [uid] }] }, helloTimeoutMs: LONG_MS });
  chmodSync(dirname(broker.socket), 0o755);
  const client = await forkClient(t, uid, broker.socket);
  await until('it is connected', () => broker.status().connections === 1);
  broker.setPolicy({});
  const versions = { minVersion: 1, maxVersion: 1, maxPacketBytes: 65_536, maxMessageBytes: 1_048_576 };
  const answer = await client({ type: 'hello', ...versions });
  assert(answer.type === 'error' && answer.status === STATUS.untrusted, JSON.stringify(answer));
});
