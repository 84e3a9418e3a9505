/** Nodes of several users in one domain: who meets whom, whom the kernel and the peers keep out, and what is left behind. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { listServices, Node, type ServiceOptions } from 'sealane';
import { serviceFolderName } from 'sealane/internal';
import {
  ALICE,
  BOB,
  Citizen,
  freshSharedDomain,
  GROUP,
  MALLORY,
  OTHER_GROUP,
  type Person,
  whyNo,
} from './citizen.test.helper.js';

const NO_OTHERS = whyNo({ uid: ALICE });

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** The folder of the one service of that name. */
function folderOf(directory: string, service = 'x'): string {
  const services = join(directory, 'services');
  const names = readdirSync(services).filter((name) => name.startsWith(`${serviceFolderName(service)}-`));
  assert.equal(names.length, 1, names.join(' '));
  return join(services, names[0] ?? '');
}

/** Alice with a publisher of a service, and its folder. */
async function publish(
  t: TestContext,
  directory: string,
  options: ServiceOptions,
  person: Person = { uid: ALICE },
) {
  const alice = await Citizen.join(t, directory, person);
  await alice.ask('open', { options });
  await alice.ask('publisher');
  return { alice, folder: folderOf(directory) };
}

/** Somebody with a subscriber. */
async function subscribe(t: TestContext, directory: string, person: Person, options: ServiceOptions = {}) {
  const citizen = await Citizen.join(t, directory, person);
  await citizen.ask('open', { options });
  await citizen.ask('subscriber');
  return citizen;
}

test('two users exchange samples in both directions, and see who the other is', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const alice = await Citizen.join(t, directory, { uid: ALICE });
  const bob = await Citizen.join(t, directory, { uid: BOB });
  for (const citizen of [alice, bob]) {
    await citizen.ask('open');
    await citizen.ask('publisher');
    await citizen.ask('subscriber');
  }
  for (const citizen of [alice, bob]) await citizen.ask('publisherConnected', { count: 2 });
  for (const [sender, receiver] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    assert.equal(await sender.ask('send', { text: 'hello' }), 2);
    assert.deepEqual(await receiver.ask('next'), { text: 'hello', pid: sender.child.pid });
    assert.equal((await sender.ask('next')).text, 'hello');
  }
  const { nodes, services } = await bob.ask('list', { directory });
  const users = new Map(nodes.map(({ uid, state }) => [uid, state]));
  assert.deepEqual([users.size, users.get(ALICE), users.get(BOB)], [2, 'alive', 'alive']);
  assert.deepEqual(
    services.map(({ name, creator, alive, ports }) => [name, creator, alive, ports.length]),
    [['x', ALICE, true, 4]],
  );
});

test('what is made is as open as the domain, and the service as open as its access says', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  assert.equal(modeOf(directory), '1777');
  const cases: readonly [ServiceOptions, string][] = [
    [{}, '1777'],
    [{ access: {} }, '700'],
    [{ access: { users: [ALICE] } }, '700'],
    [{ access: { users: [BOB] } }, '1777'],
    [{ access: { groups: [GROUP] } }, '3770'],
    [{ access: { groups: [OTHER_GROUP] } }, '1777'],
    [{ access: { groups: [GROUP, OTHER_GROUP] } }, '1777'],
  ];
  for (const [options, mode] of cases) {
    const { alice, folder } = await publish(t, directory, options, { uid: ALICE, groups: [GROUP] });
    assert.equal(modeOf(folder), mode, JSON.stringify(options));
    assert.equal(statSync(folder).uid, ALICE);
    if (mode === '3770') assert.equal(statSync(folder).gid, GROUP);
    for (const name of readdirSync(folder)) assert.equal(modeOf(join(folder, name)), '644', name);
    const node = join(directory, 'nodes', await alice.ask('id'));
    assert.deepEqual(
      ['', 'node.json', 'sock'].map((name) => modeOf(join(node, name))),
      ['755', '644', '666'],
    );
    await alice.ask('leave');
    assert.deepEqual(
      [readdirSync(join(directory, 'nodes')), readdirSync(join(directory, 'services'))],
      [[], []],
    );
  }
});

test('a domain for a group admits its members, and tells others why not', { skip: NO_OTHERS }, async (t) => {
  const directory = await freshSharedDomain(t, { group: GROUP });
  assert.equal(modeOf(directory), '3770');
  const { alice, folder } = await publish(t, directory, {}, { uid: ALICE, groups: [GROUP] });
  const node = join(directory, 'nodes', await alice.ask('id'));
  assert.deepEqual(
    [folder, node, join(node, 'node.json'), join(node, 'sock')].map((path) => [
      modeOf(path),
      statSync(path).gid,
    ]),
    [
      ['3770', GROUP],
      ['2750', GROUP],
      ['640', GROUP],
      ['660', GROUP],
    ],
  );
  const bob = await subscribe(t, directory, { uid: BOB, groups: [OTHER_GROUP, GROUP] });
  await bob.ask('subscriberConnected');
  await alice.ask('send', { text: 'members' });
  assert.equal((await bob.ask('next')).text, 'members');
  const outsider = await Citizen.start(t, { uid: MALLORY, groups: [OTHER_GROUP] });
  for (const action of ['join', 'list'] as const)
    await assert.rejects(outsider.ask(action, { directory }), {
      code: 'ERR_SEALANE_ACCESS_DENIED',
      message: new RegExp(`user ${MALLORY} may not enter the shared domain .*: join its group`),
    });
});

test('a service for users or groups lets them in, by their supplementary groups too, and nobody else', {
  skip: NO_OTHERS,
}, async (t) => {
  for (const access of [{ users: [BOB] }, { groups: [GROUP] }, { groups: [OTHER_GROUP, GROUP] }]) {
    const directory = await freshSharedDomain(t);
    const { alice } = await publish(t, directory, { access }, { uid: ALICE, groups: [GROUP] });
    const bob = await subscribe(t, directory, { uid: BOB, groups: [4_242, GROUP] });
    await bob.ask('subscriberConnected');
    await alice.ask('send', { text: 'for you' });
    assert.equal((await bob.ask('next')).text, 'for you');
    const mallory = await Citizen.join(t, directory, { uid: MALLORY, groups: [4_242] });
    for (const how of ['open', 'create', 'openOrCreate'] as const)
      await assert.rejects(mallory.ask('open', { how }), {
        code: 'ERR_SEALANE_ACCESS_DENIED',
        message: new RegExp(`user ${ALICE} has a service "x", and user ${MALLORY} may not take part in it`),
      });
    const text = await mallory.ask('id');
    const dialled = await mallory.ask('dial', { directory, node: await alice.ask('id'), text });
    assert.match(dialled, new RegExp(`^untrusted: the service lets in .*, and not user ${MALLORY}`));
    assert.deepEqual(await alice.ask('peers'), [await bob.ask('id')]);
  }
});

test('a publisher that a service does not let in is not connected to, and the subscriber is told', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const { alice, folder } = await publish(t, directory, { access: { users: [BOB] } });
  const bob = await subscribe(t, directory, { uid: BOB });
  await bob.ask('subscriberConnected');
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  const pub = join(folder, `${await mallory.ask('id')}-00000001.pub`);
  await mallory.ask('fs', { call: ['writeFileSync', pub, '{"version":1,"pid":1,"options":{}}'] });
  const { code, message } = await bob.ask('degraded');
  assert.equal(code, 'ERR_SEALANE_UNTRUSTED_PEER');
  assert.match(message, new RegExp(`the service lets in users ${BOB}, and not user ${MALLORY}`));
  await alice.ask('send', { text: 'still' });
  assert.equal((await bob.ask('next')).text, 'still');
});

test('an opener that states access meets none but those, whoever else the service lets in', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const { alice } = await publish(t, directory, {});
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  await mallory.ask('open');
  await mallory.ask('publisher');
  const bob = await subscribe(t, directory, { uid: BOB }, { access: { users: [ALICE] } });
  const { code, message } = await bob.ask('degraded');
  assert.equal(code, 'ERR_SEALANE_UNTRUSTED_PEER');
  assert.match(message, new RegExp(`lets in users ${ALICE}, and not user ${MALLORY}`));
  await bob.ask('subscriberConnected');
  await mallory.ask('send', { text: 'forged' });
  await alice.ask('send', { text: 'genuine' });
  assert.equal((await bob.ask('next')).text, 'genuine');
});

test('who had the name first is not joined by those who state whose service they mean, nor by those who can not tell', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const squatter = await subscribe(t, directory, { uid: MALLORY });
  const access = { users: [ALICE, BOB] };
  const alice = await Citizen.join(t, directory, { uid: ALICE });
  await alice.ask('open', { options: { access } });
  await alice.ask('publisher');
  const bob = await subscribe(t, directory, { uid: BOB }, { access });
  await bob.ask('subscriberConnected');
  assert.equal(await alice.ask('send', { text: 'ours' }), 1);
  assert.equal((await bob.ask('next')).text, 'ours');
  const careless = await Citizen.join(t, directory, { uid: BOB });
  await assert.rejects(careless.ask('open'), {
    code: 'ERR_SEALANE_UNTRUSTED_PEER',
    message: /have each a service "x": state in `access` whose is meant/,
  });
  await squatter.ask('leave');
  await careless.ask('open');
});

test('services of users for themselves have one name and do not meet', { skip: NO_OTHERS }, async (t) => {
  const directory = await freshSharedDomain(t);
  const options = { access: {} };
  const { alice } = await publish(t, directory, options);
  const bob = await Citizen.join(t, directory, { uid: BOB });
  await bob.ask('open', { options, how: 'create' });
  await assert.rejects(bob.ask('open', { options, how: 'create' }), { code: 'ERR_SEALANE_SERVICE_EXISTS' });
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  await assert.rejects(mallory.ask('open'), {
    code: 'ERR_SEALANE_ACCESS_DENIED',
    message: /its folder is closed/,
  });
  await alice.ask('leave');
  await bob.ask('leave');
  await mallory.ask('open');
});

test('what a killed process of another user left counts no more, and goes with the next node of its user', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const { alice, folder } = await publish(t, directory, { maxPublishers: 1, maxNodes: 2 });
  const node = await alice.ask('id');
  const bob = await subscribe(t, directory, { uid: BOB });
  await bob.ask('subscriberConnected');
  await alice.ask('send', { text: 'last' });
  await alice.kill();
  assert.equal((await bob.ask('next')).text, 'last');
  await bob.ask('publisher');
  await bob.ask('subscriberConnected');
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  await mallory.ask('open');
  const { nodes } = await mallory.ask('list', { directory });
  assert.deepEqual(
    nodes.filter(({ uid }) => uid === ALICE).map(({ state }) => state),
    ['dead'],
  );
  assert.ok(readdirSync(folder).some((name) => name.startsWith(`${node}-`)));
  const again = await Citizen.join(t, directory, { uid: ALICE });
  assert.ok(!readdirSync(folder).some((name) => name.startsWith(node)));
  assert.ok(!readdirSync(join(directory, 'nodes')).includes(node));
  await bob.ask('leave');
  await mallory.ask('leave');
  assert.ok(readdirSync(join(directory, 'services')).length === 1, 'its creator alone can remove it');
  await again.ask('open', { options: { maxPublishers: 5 } });
  const [made] = await listServices({ sharedDirectory: directory });
  assert.ok(made?.messaging === 'publish-subscribe' && made.settings.maxPublishers === 5);
  assert.equal(readdirSync(join(directory, 'services')).length, 1);
});

test('a service that a killed process of another user left can be made anew by anybody', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const killed = [];
  for (const access of [undefined, {}, { groups: [GROUP] }]) {
    const { alice } = await publish(t, directory, { access }, { uid: ALICE, groups: [GROUP] });
    await alice.kill();
    killed.push(folderOf(directory));
    const bob = await Citizen.join(t, directory, { uid: BOB });
    await bob.ask('open', { how: 'create' });
    await bob.ask('leave');
    assert.deepEqual(readdirSync(join(directory, 'services')).length, 1);
  }
});

test('the own user shares a domain of its own, also without others', async (t) => {
  const directory = await freshSharedDomain(t);
  await using first = await Node.create({ name: 'first', sharedDirectory: directory });
  await using second = await Node.create({ name: 'second', sharedDirectory: directory });
  const publisher = await (await first.service('x').publishSubscribe({ access: {} })).publisher();
  const subscriber = await (await second.service('x').publishSubscribe()).subscriber();
  await subscriber.connected();
  publisher.sendCopy(Buffer.from('here'));
  assert.equal(Buffer.from((await subscriber.next()).bytes).toString(), 'here');
  const [service] = await listServices({ sharedDirectory: directory });
  assert.deepEqual([service?.creator, service?.access], [process.geteuid?.(), { users: [], groups: [] }]);
  first.close();
  second.close();
  assert.deepEqual(
    [readdirSync(join(directory, 'nodes')), readdirSync(join(directory, 'services'))],
    [[], []],
  );
});

test('events pass between users, and only those who are let in', { skip: NO_OTHERS }, async (t) => {
  const directory = await freshSharedDomain(t);
  const alice = await Citizen.join(t, directory, { uid: ALICE });
  const bob = await Citizen.join(t, directory, { uid: BOB });
  const ready = alice.ask('notifier', { options: { access: { users: [BOB] } } });
  while ((await listServices({ sharedDirectory: directory })).length === 0) await turn();
  await bob.ask('listener');
  await ready;
  assert.equal(await alice.ask('notify', { count: 7 }), 1);
  const notice = await bob.ask('notice');
  assert.ok(notice.type === 'event' && notice.id === 7 && notice.count === 1, JSON.stringify(notice));
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  await assert.rejects(mallory.ask('listener'), { code: 'ERR_SEALANE_ACCESS_DENIED' });
});

test('who is refused costs nothing for good, at either end', { skip: NO_OTHERS }, async (t) => {
  const directory = await freshSharedDomain(t);
  const { alice, folder } = await publish(t, directory, { access: { users: [BOB] } });
  const bob = await subscribe(t, directory, { uid: BOB });
  await bob.ask('subscriberConnected');
  await alice.ask('publisherConnected');
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  const [node, text] = [await alice.ask('id'), await mallory.ask('id')];
  const attempt = async (round: number) => {
    assert.match(await mallory.ask('dial', { directory, node, text }), /^untrusted/);
    const pub = join(folder, `${text}-${round.toString(16).padStart(8, '0')}.pub`);
    await mallory.ask('fs', { call: ['writeFileSync', pub, '{}'] });
    await bob.ask('degraded');
    await mallory.ask('fs', { call: ['rmSync', pub] });
  };
  await attempt(1);
  const before = [await alice.ask('holdings'), await bob.ask('holdings')];
  for (let round = 2; round < 50; round++) await attempt(round);
  assert.deepEqual([await alice.ask('holdings'), await bob.ask('holdings')], before);
});

test('another user sees that there is a closed service, whose it is, and nothing else of it', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const { alice } = await publish(t, directory, { access: {} });
  const bob = await Citizen.join(t, directory, { uid: BOB });
  const [seen] = (await bob.ask('list', { directory })).services;
  assert.deepEqual([seen?.closed, seen?.creator, seen?.name, seen?.alive], [true, ALICE, undefined, false]);
  const [own] = (await alice.ask('list', { directory })).services;
  assert.deepEqual([own?.closed, own?.creator, own?.name, own?.alive], [false, ALICE, 'x', true]);
});
