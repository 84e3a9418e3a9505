/** Who a peer is when it, or the broker, lives in namespaces of its own: what the kernel says, and nobody where it can't say. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { overflowIds } from '../../os/overflow.js';
import { type Response, STATUS } from '../../wire/index.js';
import { forkBroker, forkClient } from '../child.test.helper.js';
import { type Call, directory, putCall, startBroker, type TestBroker } from '../raw-client.test.helper.js';
import type { PolicyOptions } from './options.js';

type Client = (call: Call) => Promise<Response>;

/** A user of this run's own. */
const ALICE = 800_000 + process.pid;

const BECOME_ALICE = ['setpriv', `--reuid=${ALICE}`, `--regid=${ALICE}`, '--clear-groups'];
/** A user namespace that knows its maker only, as root. */
const OWN_USERS = ['unshare', '--user', '--map-root-user'];
/** A user namespace that knows nobody. */
const NO_USERS = ['unshare', '--user'];
const OWN_PROCESSES = ['unshare', '--pid', '--fork', '--kill-child'];

/** Admits all whom the kernel can name. */
const OPEN: PolicyOptions = {
  admit: [{ everyone: true }],
  grants: [{ everyone: true, names: ['*'], may: ['put', 'get'] }],
};

const NOT_ROOT = process.getuid?.() === 0 ? false : 'only root can become another user';

/** Why processes can't be started through these programs; false if they can. */
function whyNot(...through: string[]): string | false {
  const [program = '', ...words] = [...through, process.execPath, '--check', fileURLToPath(import.meta.url)];
  const { status, error, stderr } = spawnSync(program, words, { encoding: 'utf8', cwd: '/' });
  if (error !== undefined) return `there is no ${program}(1)`;
  return status === 0 ? false : `${through.join(' ')} fails here: ${stderr.trim().split('\n').at(-1)}`;
}

/** A broker in this process that other users can reach. */
async function open(t: TestContext, policy: PolicyOptions): Promise<TestBroker> {
  const made = await startBroker(t, { policy });
  chmodSync(dirname(made.broker.socket), 0o755);
  return made;
}

/** A broker in other namespaces; its socket. */
async function inside(t: TestContext, policy: PolicyOptions, through: readonly string[]): Promise<string> {
  const folder = directory(t);
  chmodSync(folder, 0o755);
  const socket = join(folder, 'broker.sock');
  await forkBroker(t, { socket, policy }, through);
  return socket;
}

function hello(client: Client): Promise<Response> {
  const limits = { maxPacketBytes: 65_536, maxMessageBytes: 1_048_576 };
  return client({ type: 'hello', minVersion: 1, maxVersion: 1, ...limits });
}

async function admitted(client: Client): Promise<void> {
  const answer = await hello(client);
  assert.equal(answer.type, 'hello', JSON.stringify(answer));
}

async function refused(client: Client, why: RegExp): Promise<void> {
  const answer = await hello(client);
  assert(answer.type === 'error', `it was answered with ${answer.type}`);
  assert.equal(answer.status, STATUS.untrusted);
  assert.match(answer.text, why);
}

async function mayNotPut(client: Client, name: string): Promise<void> {
  const answer = await client(putCall(name, 8));
  assert(answer.type === 'error' && answer.status === STATUS.accessDenied, JSON.stringify(answer));
}

test('who is root in a user namespace of its own is outside who it was', {
  skip: NOT_ROOT || whyNot(...BECOME_ALICE, ...OWN_USERS),
}, async (t) => {
  const grants = [{ users: [ALICE], names: ['hers'], may: ['put' as const] }];
  const { broker } = await open(t, { admit: [{ users: [ALICE] }], grants });
  for (const through of [OWN_USERS, NO_USERS]) {
    const client = await forkClient(t, {}, broker.socket, [...BECOME_ALICE, ...through]);
    await admitted(client);
    const put = await client(putCall('hers', 8));
    assert(put.type === 'put' && put.object.uid === ALICE, JSON.stringify(put));
    await mayNotPut(client, 'other');
  }
  broker.setPolicy({ admit: [{ users: [ALICE + 1] }], grants });
  const stranger = await forkClient(t, {}, broker.socket, [...BECOME_ALICE, ...OWN_USERS]);
  await refused(stranger, new RegExp(`user ${ALICE} .* is not admitted`));
});

test('a broker in a user namespace serves its own user from outside, and nobody whom it can not name', {
  skip: whyNot(...OWN_USERS),
}, async (t) => {
  const socket = await inside(t, OPEN, OWN_USERS);
  await admitted(await forkClient(t, {}, socket));
  await admitted(await forkClient(t, {}, socket, NO_USERS));
  if (NOT_ROOT !== false) return;
  await refused(await forkClient(t, ALICE, socket), /your user is not known in the broker's user namespace/);
});

test('a broker whose own user has no name in its user namespace serves nobody', {
  skip: whyNot(...NO_USERS),
}, async (t) => {
  const socket = await inside(t, OPEN, NO_USERS);
  for (const through of [[], NO_USERS])
    await refused(await forkClient(t, {}, socket, through), /your user is not known/);
});

test('groups that the namespace of the broker does not map make nobody a member', {
  skip: NOT_ROOT || whyNot(...OWN_USERS),
}, async (t) => {
  const grants = [{ groups: [overflowIds().gid, 4_242], names: ['*'], may: ['put' as const] }];
  const socket = await inside(t, { grants }, OWN_USERS);
  const client = await forkClient(t, {}, socket, ['setpriv', '--groups=4242']);
  await admitted(client);
  await mayNotPut(client, 'a');
  const { broker } = await open(t, { grants });
  const member = await forkClient(t, {}, broker.socket, ['setpriv', '--groups=4242']);
  await admitted(member);
  assert.equal((await member(putCall('a', 8))).type, 'put');
});

test('a broker in a process namespace refuses processes of other users that have no number there', {
  skip: NOT_ROOT || whyNot(...OWN_PROCESSES),
}, async (t) => {
  const socket = await inside(t, OPEN, OWN_PROCESSES);
  await admitted(await forkClient(t, {}, socket));
  await refused(await forkClient(t, ALICE, socket), /not known in the broker's process namespace/);
});

test('a client in a process namespace is who it is', {
  skip: NOT_ROOT || whyNot(...OWN_PROCESSES),
}, async (t) => {
  const { broker } = await open(t, { admit: [{ users: [ALICE] }] });
  await admitted(await forkClient(t, ALICE, broker.socket, OWN_PROCESSES));
  await refused(await forkClient(t, ALICE + 1, broker.socket, OWN_PROCESSES), /is not admitted/);
});
