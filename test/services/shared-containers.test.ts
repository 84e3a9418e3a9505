/** Nodes that share a directory and not the namespaces of processes or users: they meet, or are told why not. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { overflowIds } from 'sealane/internal';
import { ALICE, BOB, Citizen, freshSharedDomain, type Person, whyNo } from './citizen.test.helper.js';

/** A user namespace that knows its maker only, as root. */
const OWN_USERS = ['unshare', '--user', '--map-root-user'];
/** The same with processes and mounts of its own, as a container without privileges has. */
const CONTAINER = [...OWN_USERS, '--pid', '--mount', '--fork', '--kill-child', '--mount-proc'];
/** A user namespace that knows nobody. */
const NO_USERS = ['unshare', '--user'];
/** Processes of its own, and the users of everybody else. */
const OWN_PROCESSES = ['unshare', '--pid', '--mount', '--fork', '--kill-child', '--mount-proc'];

const NOBODY = overflowIds().uid;

const UNMAPPED = new RegExp(`user ${NOBODY} stands here for all users whom the user namespace does not map`);

const ME: Person = {};
const IN_CONTAINER: Person = { through: CONTAINER };

/** Publishes in one process and receives in the other, and the other way round. Returns what each saw of the other's process id. */
async function exchange(one: Citizen, other: Citizen): Promise<number[]> {
  for (const citizen of [one, other]) {
    await citizen.ask('open');
    await citizen.ask('publisher');
    await citizen.ask('subscriber');
  }
  for (const citizen of [one, other]) await citizen.ask('subscriberConnected', { count: 2 });
  const pids = [];
  for (const [sender, receiver] of [
    [one, other],
    [other, one],
  ] as const) {
    assert.equal(await sender.ask('send', { text: 'through the wall' }), 2);
    const { text, pid } = await receiver.ask('next');
    assert.equal(text, 'through the wall');
    await sender.ask('next');
    pids.push(pid);
  }
  return pids;
}

/** A directory that a user makes a shared domain, and everybody can reach. */
async function domainOf(t: TestContext, maker: Person): Promise<string> {
  const top = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  chmodSync(top, 0o777);
  const directory = join(top, 'bus');
  await (await Citizen.start(t, maker)).ask('makeDomain', { directory });
  return directory;
}

test('a process of the same user in a container of its own takes part, and is seen to live and to die', {
  skip: whyNo(IN_CONTAINER),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const outside = await Citizen.join(t, directory, ME);
  const inside = await Citizen.join(t, directory, IN_CONTAINER);
  const [seenInside, seenOutside] = await exchange(outside, inside);
  assert.equal(seenInside, 0, 'who lives outside has no number inside');
  assert.ok(seenOutside !== undefined && seenOutside > 0 && seenOutside !== inside.child.pid);
  const { nodes } = await inside.ask('list', { directory });
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ['alive', 'alive'],
  );
  await inside.kill();
  // What was killed is the program that keeps the container; its process goes with it, a little later.
  while (readdirSync(join(directory, 'nodes')).length > 1) await outside.ask('list', { directory });
  assert.deepEqual(readdirSync(join(directory, 'nodes')), [await outside.ask('id')]);
});

test('users of one machine meet through a namespace of processes', {
  skip: whyNo({ uid: ALICE, before: OWN_PROCESSES }),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const alice = await Citizen.join(t, directory, { uid: ALICE, before: OWN_PROCESSES });
  const bob = await Citizen.join(t, directory, { uid: BOB });
  const [seenByBob, seenByAlice] = await exchange(alice, bob);
  assert.ok(seenByBob !== undefined && seenByBob > 0 && seenByBob !== alice.child.pid);
  assert.equal(seenByAlice, 0, 'who lives outside has no number inside');
});

test('a container whose users the administrator is none of is refused, with the reason', {
  skip: whyNo({ uid: ALICE, through: CONTAINER }),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const inside = await Citizen.start(t, { uid: ALICE, through: CONTAINER });
  for (const action of ['join', 'list'] as const)
    await assert.rejects(inside.ask(action, { directory }), {
      code: 'ERR_SEALANE_UNSAFE_DIRECTORY',
      message: new RegExp(
        `belongs to a user whom this user namespace does not map \\(the kernel shows ${NOBODY}\\)`,
      ),
    });
});

test('a user shares a directory of its own with its container, and no other user takes part', {
  skip: whyNo({ uid: ALICE, through: CONTAINER }),
}, async (t) => {
  const directory = await domainOf(t, { uid: ALICE });
  const outside = await Citizen.join(t, directory, { uid: ALICE });
  const inside = await Citizen.join(t, directory, { uid: ALICE, through: CONTAINER });
  await exchange(outside, inside);
  const bob = await Citizen.start(t, { uid: BOB });
  await assert.rejects(bob.ask('join', { directory }), {
    code: 'ERR_SEALANE_UNSAFE_DIRECTORY',
    message: new RegExp(`belongs to user ${ALICE}, who could rename what others make in it`),
  });
});

test('a process whose own user has no name in its namespace is refused', {
  skip: whyNo({ through: NO_USERS }),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const inside = await Citizen.start(t, { through: NO_USERS });
  await assert.rejects(inside.ask('join', { directory }), {
    code: 'ERR_SEALANE_ACCESS_DENIED',
    message: /this process's user has no name in its user namespace/,
  });
});

test('peers of whom one is not known in the user namespace of the other refuse each other, and say so', {
  skip: whyNo({ uid: ALICE }) || whyNo(IN_CONTAINER),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const inside = await Citizen.join(t, directory, IN_CONTAINER);
  await inside.ask('open');
  await inside.ask('publisher');
  await inside.ask('subscriber');
  const alice = await Citizen.join(t, directory, { uid: ALICE });
  await alice.ask('open');
  await alice.ask('subscriber');
  const refused = await alice.ask('degraded');
  assert.equal(refused.code, 'ERR_SEALANE_UNTRUSTED_PEER');
  assert.match(refused.message, UNMAPPED);
  await alice.ask('publisher');
  const refusing = await inside.ask('degraded');
  assert.equal(refusing.code, 'ERR_SEALANE_UNTRUSTED_PEER');
  assert.match(refusing.message, UNMAPPED);
  const { nodes } = await inside.ask('list', { directory });
  assert.deepEqual(nodes.map(({ uid, state }) => [uid, state]).sort(), [
    [0, 'alive'],
    [NOBODY, 'alive'],
  ]);
});

test('the ids of one user namespace do not let in others in another', {
  skip: whyNo(IN_CONTAINER),
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const inside = await Citizen.join(t, directory, IN_CONTAINER);
  await inside.ask('open', { options: { access: { users: [ALICE] } } });
  const outside = await Citizen.join(t, directory, ME);
  await assert.rejects(outside.ask('open'), {
    code: 'ERR_SEALANE_ACCESS_DENIED',
    message: /by the ids of another user namespace, where they may be others than here/,
  });
  const elsewhere = await Citizen.join(t, directory, ME);
  await elsewhere.ask('open', { service: 'y', options: { access: {} } });
  await assert.rejects(inside.ask('open', { service: 'y' }), { code: 'ERR_SEALANE_ACCESS_DENIED' });
});
