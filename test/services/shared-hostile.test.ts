/** A user of a shared domain who does to it what it can: it harms its own, and is in nobody's way for longer than the lock is waited for. */
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serviceFolderName } from 'sealane/internal';
import { ALICE, BOB, Citizen, freshSharedDomain, MALLORY, whyNo } from './citizen.test.helper.js';

const NO_OTHERS = whyNo({ uid: ALICE });

const PREFIX = `${serviceFolderName('x')}-`;
const FOREIGN = 'f'.repeat(16);

/** A pair of two honest users, and a third who has a node. */
async function scene(t: TestContext) {
  const directory = await freshSharedDomain(t);
  const alice = await Citizen.join(t, directory, { uid: ALICE });
  await alice.ask('open');
  await alice.ask('publisher');
  const bob = await Citizen.join(t, directory, { uid: BOB });
  await bob.ask('open');
  await bob.ask('subscriber');
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  const [folder = ''] = readdirSync(join(directory, 'services')).map((name) =>
    join(directory, 'services', name),
  );
  const work = async () => {
    await bob.ask('subscriberConnected');
    await alice.ask('publisherConnected');
    assert.equal(await alice.ask('send', { text: 'work' }), 1);
    assert.equal((await bob.ask('next')).text, 'work');
  };
  await work();
  return {
    directory,
    alice,
    bob,
    mallory,
    folder,
    work,
    services: join(directory, 'services'),
    nodes: join(directory, 'nodes'),
  };
}

/** Newcomers of all three users find and do what they did before. */
async function newcomers(t: TestContext, directory: string): Promise<void> {
  for (const uid of [ALICE, BOB]) {
    const citizen = await Citizen.join(t, directory, { uid });
    await citizen.ask('open');
    await citizen.ask('publisher');
    await citizen.ask('subscriber');
    await citizen.ask('subscriberConnected', { count: 2 });
    await citizen.ask('list', { directory });
    await citizen.ask('leave');
  }
}

test('files in the folder of a service that speak for other nodes, or are none, are not heard', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, alice, bob, mallory, folder, work } = await scene(t);
  const [a, m] = [await alice.ask('id'), await mallory.ask('id')];
  const content = '{"version":1,"pid":1,"options":{}}';
  for (const name of [`${a}-00000063.pub`, `${FOREIGN}-00000001.pub`, FOREIGN, 'x'.repeat(255), `${a}.new`])
    await mallory.ask('fs', { call: ['writeFileSync', join(folder, name), content] });
  await mallory.ask('fs', { call: ['symlinkSync', '/etc/passwd', join(folder, `${m}-00000001.pub`)] });
  await mallory.ask('fifo', { path: join(folder, `${m}-00000002.pub`) });
  await mallory.ask('fs', { call: ['mkdirSync', join(folder, `${m}-00000003.pub`)] });
  await mallory.ask('fs', {
    call: ['writeFileSync', join(folder, `${m}-00000004.pub`), 'x'.repeat(1 << 20)],
  });
  await work();
  const { services } = await bob.ask('list', { directory });
  const [service] = services;
  assert.deepEqual(service?.nodes.map(({ id }) => id).sort(), [a, await bob.ask('id')].sort());
  const told = service?.ports.map(({ node, port, problem }) => [node, port, problem === undefined]);
  assert.deepEqual(
    told?.filter(([node]) => node !== a && node !== services[0]?.nodes.find(({ id }) => id !== a)?.id),
    [[m, 4, false]],
  );
  await newcomers(t, directory);
  await work();
});

test('folders of services that are not what their owner may make are passed over', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, mallory, services, folder, work } = await scene(t);
  const make = async (suffix: string, json?: string, mode = 0o755) => {
    const path = join(services, PREFIX + suffix);
    await mallory.ask('fs', { call: ['mkdirSync', path] });
    await mallory.ask('fs', { call: ['writeFileSync', join(path, await mallory.ask('id')), ''] });
    if (json !== undefined)
      await mallory.ask('fs', { call: ['writeFileSync', join(path, 'service.json'), json] });
    await mallory.ask('fs', { call: ['chmodSync', path, mode] });
  };
  await make('00000001');
  await make('00000002', 'no json');
  await make('00000003', '{"version":1,"name":"y","messaging":"publish-subscribe","settings":{}}');
  await make('00000004', 'x'.repeat(1 << 20));
  await mallory.ask('fs', { call: ['symlinkSync', folder, join(services, `${PREFIX}00000005`)] });
  await mallory.ask('fifo', { path: join(services, `${PREFIX}00000006`) });
  // The definition of somebody else, by way of a link.
  const path = join(services, `${PREFIX}00000007`);
  await mallory.ask('fs', { call: ['mkdirSync', path] });
  await mallory.ask('fs', { call: ['writeFileSync', join(path, await mallory.ask('id')), ''] });
  await mallory.ask('fs', {
    call: ['symlinkSync', join(folder, 'service.json'), join(path, 'service.json')],
  });
  await newcomers(t, directory);
  await work();
});

test('nodes that are not served by their owner are dead', { skip: NO_OTHERS }, async (t) => {
  const { directory, alice, bob, mallory, nodes, folder, work } = await scene(t);
  const fakes = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(16));
  const [plain = '', linked = '', piped = '', closed = '', file = ''] = fakes;
  for (const name of [plain, linked, piped, closed])
    await mallory.ask('fs', { call: ['mkdirSync', join(nodes, name)] });
  const socket = join(nodes, await alice.ask('id'), 'sock');
  await mallory.ask('fs', { call: ['symlinkSync', socket, join(nodes, linked, 'sock')] });
  await mallory.ask('fifo', { path: join(nodes, piped, 'sock') });
  await mallory.ask('fifo', { path: join(nodes, piped, 'node.json') });
  await mallory.ask('fs', { call: ['chmodSync', join(nodes, closed), 0] });
  await mallory.ask('fs', { call: ['writeFileSync', join(nodes, file), ''] });
  for (const name of fakes)
    await mallory.ask('fs', { call: ['writeFileSync', join(folder, `${name}-00000001.pub`), '{}'] });
  const told = (await bob.ask('list', { directory })).nodes.filter(({ id }) => fakes.includes(id));
  assert.deepEqual(
    told.map(({ id, state, uid }) => [id, state, uid]),
    [
      [plain, 'dead', undefined],
      [linked, 'dead', undefined],
      [piped, 'dead', undefined],
      // It can't be looked into: in doubt it lives.
      [closed, 'alive', undefined],
    ],
  );
  await newcomers(t, directory);
  await work();
});

test('who says that it is of another node is refused, and so is who serves the node of another', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, alice, bob, mallory, work } = await scene(t);
  const node = await alice.ask('id');
  const answers = [];
  for (const text of [await bob.ask('id'), FOREIGN])
    answers.push(await mallory.ask('dial', { directory, node, text }));
  assert.match(
    answers[0] ?? '',
    new RegExp(`untrusted: user ${MALLORY} speaks for the node .* one of user ${BOB}`),
  );
  assert.match(
    answers[1] ?? '',
    new RegExp(`untrusted: user ${MALLORY} speaks for the node ${FOREIGN}, .*not there`),
  );
  const text = await mallory.ask('id');
  assert.match(await mallory.ask('dial', { directory, node, text, withDescriptor: true }), /^bad-request/);
  assert.equal(await mallory.ask('dial', { directory, node, text }), 'accepted');
  await work();
});

test('what others made can not be removed, renamed or written; who tries fails', {
  skip: NO_OTHERS,
}, async (t) => {
  const { alice, directory, mallory, folder, nodes, services, work } = await scene(t);
  const id = await alice.ask('id');
  const targets = [
    join(nodes, id),
    folder,
    nodes,
    services,
    join(directory, 'lock'),
    join(directory, 'domain.json'),
  ];
  for (const path of [...targets, join(folder, id), join(folder, 'service.json'), join(nodes, id, 'sock')]) {
    await assert.rejects(mallory.ask('fs', { call: ['renameSync', path, `${path}-gone`] }), /EPERM|EACCES/);
    await assert.rejects(mallory.ask('fs', { call: ['chmodSync', path, 0] }), /EPERM/);
  }
  await assert.rejects(
    mallory.ask('fs', { call: ['writeFileSync', join(folder, 'service.json'), ''] }),
    /EACCES/,
  );
  await work();
});

test('a user who closes its own files keeps out others from its own nodes alone', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, bob, mallory, nodes, work } = await scene(t);
  await mallory.ask('open');
  const path = join(nodes, await mallory.ask('id'));
  await mallory.ask('fs', { call: ['chmodSync', path, 0] });
  await mallory.ask('publisher');
  const { code, message } = await bob.ask('degraded');
  assert.deepEqual([code, /EACCES/.test(message)], ['ERR_SEALANE_SYSTEM', true], message);
  const closer = await Citizen.join(t, directory, { uid: MALLORY });
  await closer.ask('fs', { call: ['chmodSync', join(nodes, await closer.ask('id'), 'sock'), 0] });
  await work();
  await newcomers(t, directory);
});

test('the lock that a user keeps holds up newcomers for its time, and nobody who is there, lists or leaves', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, alice, bob, mallory, work } = await scene(t);
  assert.equal(await mallory.ask('takeLock', { directory }), true);
  const late = await Citizen.start(t, { uid: BOB });
  const joining = assert.rejects(late.ask('join', { directory }), {
    code: 'ERR_SEALANE_TIMEOUT',
    message: /another process held the lock of the domain/,
  });
  await work();
  assert.equal((await bob.ask('list', { directory })).nodes.length, 3);
  await alice.ask('leave');
  await bob.ask('leave');
  await joining;
  await mallory.ask('leave');
});

test('the creator of a service who exchanges its folder leads nobody to remove what is elsewhere', {
  skip: NO_OTHERS,
}, async (t) => {
  const directory = await freshSharedDomain(t);
  const mallory = await Citizen.join(t, directory, { uid: MALLORY });
  await mallory.ask('open');
  const [name = ''] = readdirSync(join(directory, 'services'));
  const folder = join(directory, 'services', name);
  const root = await Citizen.join(t, directory);
  await root.ask('open');
  await root.ask('publisher');
  const elsewhere = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(elsewhere, { recursive: true }));
  writeFileSync(join(elsewhere, 'precious'), '');
  const mine = await root.ask('id');
  // In place of the port's file there is now a directory that leads away, and the folder itself does too.
  await mallory.ask('fs', { call: ['rmSync', join(folder, `${mine}-00000001.pub`)] });
  await mallory.ask('fs', { call: ['mkdirSync', join(folder, `${mine}-00000001.pub`)] });
  await mallory.ask('fs', { call: ['symlinkSync', elsewhere, join(folder, `${mine}-00000001.pub`, 'away')] });
  await mallory.ask('fs', { call: ['renameSync', folder, `${folder.slice(0, -8)}00000000`] });
  await mallory.ask('fs', { call: ['symlinkSync', elsewhere, folder] });
  await root.ask('leave');
  await (await Citizen.join(t, directory)).ask('leave');
  assert.deepEqual(readdirSync(elsewhere), ['precious']);
  assert.ok(
    lstatSync(join(`${folder.slice(0, -8)}00000000`, `${mine}-00000001.pub`, 'away')).isSymbolicLink(),
  );
});

test('what others put into a folder that its creator removes goes as far as that is safe', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, alice, bob, mallory, folder, services, nodes } = await scene(t);
  await mallory.ask('fs', { call: ['writeFileSync', join(folder, 'junk'), ''] });
  await mallory.ask('fs', { call: ['mkdirSync', join(folder, 'empty')] });
  // The names that they have while they are removed.
  for (const path of [folder, join(nodes, await alice.ask('id'))])
    await mallory.ask('fs', { call: ['mkdirSync', `${path}.old`] });
  await bob.ask('leave');
  await alice.ask('leave');
  assert.deepEqual(readdirSync(services), [`${basename(folder)}.old`]);
  assert.equal(readdirSync(nodes).length, 2, 'that of Mallory, and what she took');
  await mallory.ask('fs', { call: ['rmSync', `${folder}.old`, { recursive: true }] });
  const again = await Citizen.join(t, directory, { uid: ALICE });
  await again.ask('open');
  const [name = ''] = readdirSync(services);
  await mallory.ask('fs', { call: ['mkdirSync', join(services, name, 'full')] });
  await mallory.ask('fs', { call: ['writeFileSync', join(services, name, 'full', 'junk'), ''] });
  await again.ask('leave');
  const { services: listed } = await mallory.ask('list', { directory });
  assert.deepEqual(listed, []);
  assert.deepEqual(readdirSync(services), [`${name}.old`]);
  await mallory.ask('fs', { call: ['rmSync', join(services, `${name}.old`, 'full'), { recursive: true }] });
  await (await Citizen.join(t, directory, { uid: ALICE })).ask('leave');
  assert.deepEqual(readdirSync(services), []);
});

test('a crowd of silent connections of one user does not keep others from connecting', {
  skip: NO_OTHERS,
}, async (t) => {
  const { directory, alice, bob, mallory } = await scene(t);
  const node = await alice.ask('id');
  assert.equal(await mallory.ask('crowd', { directory, node, count: 600 }), 600);
  const late = await Citizen.join(t, directory, { uid: BOB });
  await late.ask('open');
  await late.ask('subscriber');
  await late.ask('subscriberConnected');
  assert.equal(await alice.ask('send', { text: 'to both' }), 2);
  assert.deepEqual([(await late.ask('next')).text, (await bob.ask('next')).text], ['to both', 'to both']);
  await late.ask('leave');
});
