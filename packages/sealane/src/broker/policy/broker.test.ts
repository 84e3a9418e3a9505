/** A broker with a policy, and clients of several users, groups and control groups. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readCapabilities } from '../../os/capabilities.js';
import { STATUS, type StatusName } from '../../wire/index.js';
import { type Becoming, forkClient } from '../child.test.helper.js';
import {
  type Call,
  drop,
  get,
  getId,
  putCall,
  startBroker,
  type TestBroker,
  until,
  watch,
} from '../raw-client.test.helper.js';
import type { PolicyOptions } from './options.js';

/** Ids of this run's own, so that nothing else on the machine counts against them. */
const ALICE = 200_000 + process.pid;
const BOB = ALICE + 1;
const VIDEO = 300_000 + process.pid;

/** Only root can become another user. */
const SKIP = process.getuid?.() === 0 ? false : 'only root can become another user';

type Client = Awaited<ReturnType<typeof forkClient>>;

test("a grant shows another user's objects of some names, and nothing else of them", {
  skip: SKIP,
}, async (t) => {
  const { broker } = await startPolicy(t, {
    admit: [{ users: [ALICE, BOB] }],
    grants: [
      { users: [ALICE], names: ['*'], may: ['put'] },
      { users: [BOB], names: ['camera/*'], may: ['get', 'list'] },
    ],
  });
  const alice = await greeted(t, ALICE, broker.socket);
  const bob = await greeted(t, BOB, broker.socket);
  const front = await done(alice, putCall('camera/front', 8));
  const secret = await done(alice, putCall('secret', 8));
  assert.equal((await done(bob, get('camera/front'))).id, front.id);
  assert.equal((await done(bob, getId(front.id))).id, front.id);
  for (const call of [get('secret'), getId(secret.id), drop('camera/front'), putCall('camera/front', 8)])
    await refused(bob, call, 'accessDenied');
  const list = await bob({ type: 'list', after: 0, limit: 10, digests: false });
  assert(list.type === 'list');
  assert.deepEqual(
    list.objects.map(({ id }) => id),
    [front.id],
  );
  assert.equal((await done(alice, drop('secret'))).id, secret.id);
});

test('waits and watches of another user are told what is granted, and no more', { skip: SKIP }, async (t) => {
  const { broker } = await startPolicy(t, {
    admit: [{ users: [ALICE, BOB] }],
    grants: [
      { users: [ALICE], names: ['*'], may: ['put'] },
      { users: [BOB], names: ['camera/*'], may: ['get'] },
    ],
  });
  const alice = await greeted(t, ALICE, broker.socket);
  const bob = await greeted(t, BOB, broker.socket);
  const waiter = await greeted(t, BOB, broker.socket);
  assert.equal((await bob(watch('*', { every: true }))).type, 'watch');
  const next = bob({ type: 'next', watch: 2 });
  const wait = waiter(get('camera/front', true));
  await until('both wait', () => broker.status().watches === 1);
  await done(alice, putCall('secret', 8));
  const front = await done(alice, putCall('camera/front', 8));
  const told = await Promise.all([next, wait]);
  assert.deepEqual(
    told.map((answer) => ('object' in answer ? answer.object.id : answer)),
    [front.id, front.id],
  );
});

test('a job is only for those whom the policy binds to it: by user, by group', { skip: SKIP }, async (t) => {
  const { broker } = await startPolicy(t, {
    admit: [{ everyone: true }],
    jobs: [
      { ids: ['camera'], groups: [VIDEO] },
      { ids: ['viewer'], users: [BOB] },
    ],
    grants: [{ jobs: ['camera'], names: ['camera/*'], may: ['put'], everyone: false }],
  });
  const camera = await greeted(t, { uid: ALICE, groups: [VIDEO] }, broker.socket, 'camera');
  const forged = await forkClient(t, ALICE, broker.socket);
  const answer = await forged(hello('camera'));
  assert(answer.type === 'error' && answer.status === STATUS.accessDenied, JSON.stringify(answer));
  const viewer = await greeted(t, BOB, broker.socket, 'viewer');
  const front = await done(camera, putCall('camera/front', 8, { allowed: ['viewer'] }));
  assert.equal(front.owner, 'camera');
  assert.equal((await done(viewer, get('camera/front'))).id, front.id);
  await refused(viewer, drop('camera/front'), 'accessDenied');
  await refused(camera, putCall('other', 8), 'accessDenied');
  const jobless = await greeted(t, { uid: ALICE, groups: [VIDEO] }, broker.socket);
  await refused(jobless, get('camera/front'), 'accessDenied');
  await refused(viewer, putCall('camera/front', 8, { owner: 'camera' }), 'accessDenied');
});

test('a job is bound to a control group', { skip: SKIP }, async (t) => {
  const folder = controlGroup(t);
  if (folder === undefined) return;
  const { broker } = await startPolicy(t, {
    admit: [{ everyone: true }],
    jobs: [{ ids: ['robot'], cgroups: [pathOf(folder)] }],
  });
  await greeted(t, { uid: ALICE, cgroup: folder }, broker.socket, 'robot');
  const outside = await forkClient(t, ALICE, broker.socket);
  const answer = await outside(hello('robot'));
  assert(answer.type === 'error' && answer.status === STATUS.accessDenied);
});

test('quotas hold for each user and for each job', { skip: SKIP }, async (t) => {
  const { broker } = await startPolicy(t, {
    admit: [{ users: [ALICE, BOB] }],
    jobs: [{ ids: ['cam'], everyone: true }],
    grants: [{ everyone: true, names: ['*'], may: ['put'] }],
    quotas: [
      { users: [ALICE], maxObjects: 2 },
      { jobs: ['cam'], maxBytes: 20 },
    ],
  });
  const alice = await greeted(t, ALICE, broker.socket);
  const bob = await greeted(t, BOB, broker.socket, 'cam');
  await done(alice, putCall('a', 8));
  await done(alice, putCall('a', 8));
  await refused(alice, putCall('a', 8), 'limitExceeded');
  await done(alice, drop('a'));
  await done(alice, putCall('a', 8));
  await done(bob, putCall('b', 8));
  await done(bob, putCall('b', 8));
  await refused(bob, putCall('b', 8), 'limitExceeded');
});

test('a new policy holds at once for clients that are connected; who is admitted no more is disconnected', {
  skip: SKIP,
}, async (t) => {
  const grants = [{ users: [ALICE], names: ['*'], may: ['put'] as const }];
  const { broker } = await startPolicy(t, { admit: [{ users: [ALICE, BOB] }], grants });
  const alice = await greeted(t, ALICE, broker.socket);
  const bob = await greeted(t, BOB, broker.socket);
  await done(alice, putCall('a', 8));
  await refused(bob, get('a'), 'accessDenied');
  broker.setPolicy({
    admit: [{ users: [ALICE, BOB] }],
    grants: [...grants, { users: [BOB], names: ['a'], may: ['get'] }],
  });
  await done(bob, get('a'));
  broker.setPolicy({ admit: [{ users: [ALICE] }], grants: [] });
  await until('Bob is gone', () => broker.status().connections === 1);
  await refused(alice, putCall('b', 8), 'accessDenied');
  await done(alice, get('a'));
});

test('a policy that is malformed is refused, and the one before stays; a broker without one gets none later', {
  skip: SKIP,
}, async (t) => {
  const { broker } = await startPolicy(t, { admit: [{ users: [ALICE] }] });
  assert.throws(() => broker.setPolicy({ admit: [{}] }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  await greeted(t, ALICE, broker.socket);
  const plain = await startBroker(t);
  assert.throws(() => plain.broker.setPolicy({}), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  await assert.rejects(startBroker(t, { users: [1], policy: {} }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test("the broker's own user is bound by the policy as well", async (t) => {
  const { open, connect } = await startBroker(t, {
    policy: { grants: [{ everyone: true, names: ['ok'], may: ['put'] }] },
  });
  const client = await open();
  await client.put('ok');
  await assert.rejects(client.put('other'), /does not grant it/);
  const { response } = await connect().hello('camera');
  assert(response.type === 'error' && response.status === STATUS.accessDenied);
});

test('a content-addressed object needs a grant for the name that its digest gives it', async (t) => {
  const { open } = await startBroker(t, {
    policy: { grants: [{ everyone: true, names: ['sha256:*'], may: ['put'] }] },
  });
  const client = await open();
  const object = await client.put(undefined, { contentAddressed: true });
  assert.equal(object.name, `sha256:${object.digest}`);
  await assert.rejects(client.put(undefined), /does not grant it/);
  const strict = await startBroker(t, {
    policy: { grants: [{ everyone: true, names: ['x'], may: ['put'] }] },
  });
  const other = await strict.open();
  await assert.rejects(other.put(undefined, { contentAddressed: true }), /does not grant it/);
  assert.equal(strict.broker.status().objects, 0);
});

function hello(jobId?: string): Call {
  const versions = { minVersion: 1, maxVersion: 1, maxPacketBytes: 65_536, maxMessageBytes: 1_048_576 };
  return { type: 'hello', ...versions, ...(jobId === undefined ? {} : { jobId }) };
}

/** A broker that other users can reach. */
async function startPolicy(t: TestContext, policy: PolicyOptions): Promise<TestBroker> {
  const made = await startBroker(t, { policy });
  chmodSync(dirname(made.broker.socket), 0o755);
  return made;
}

async function greeted(
  t: TestContext,
  who: number | Becoming,
  socket: string,
  jobId?: string,
): Promise<Client> {
  const client = await forkClient(t, who, socket);
  assert.equal((await client(hello(jobId))).type, 'hello');
  return client;
}

async function done(client: Client, call: Call): Promise<{ id: number; owner?: string }> {
  const answer = await client(call);
  assert('object' in answer, JSON.stringify(answer));
  return answer.object;
}

async function refused(client: Client, call: Call, status: StatusName): Promise<void> {
  const answer = await client(call);
  assert(answer.type === 'error', `${call.type} was answered with ${answer.type}`);
  assert.equal(answer.status, STATUS[status], answer.text);
}

/** A new control group of the unified hierarchy; undefined, with the test skipped, where there is none to be had. */
function controlGroup(t: TestContext): string | undefined {
  const mount = readFileSync('/proc/self/mounts', 'utf8').match(/^\S+ (\S+) cgroup2 /m)?.[1];
  if (mount === undefined || !readCapabilities().peerPidfd) {
    t.skip(mount === undefined ? 'no cgroup2 is mounted' : 'the kernel has no SO_PEERPIDFD (Linux 6.5)');
    return undefined;
  }
  const folder = join(mount, ownPath(), `sealane-test-${process.pid}`);
  try {
    mkdirSync(folder);
  } catch (error) {
    t.skip(`no control group can be made: ${String(error)}`);
    return undefined;
  }
  t.after(() => {
    for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').trim().split('\n'))
      if (pid !== '') writeFileSync(join(dirname(folder), 'cgroup.procs'), pid);
    rmdirSync(folder);
  });
  return folder;
}

function ownPath(): string {
  return readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1] ?? '/';
}

/** The path by which the kernel calls a folder of the control group file system. */
function pathOf(folder: string): string {
  return join(ownPath(), folder.slice(folder.lastIndexOf('/') + 1));
}
