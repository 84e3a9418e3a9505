/** Files of a shared domain: whose count, how many of one user do, and what of them is removed. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ServiceWatch } from './discovery.js';
import { Domain } from './domain.js';
import { contents, freshDirectory, freshNode, go, kill, startActor } from './domain.test.helper.js';
import { listServices } from './listing.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { portFileName } from './names.js';
import { listNodeIds, publishNode } from './node-files.js';
import { createSharedDomain } from './shared-domain.js';
import { entryOwner, listEntries } from './shared-files.js';
import { sweepLeftBehind } from './sweep.js';

const FOREIGN = 'f'.repeat(16);

/** More steps than a node takes in its life. */
const MOST_STEPS = 100;

async function freshShared(t: TestContext): Promise<Domain> {
  const path = join(freshDirectory(t), 'bus');
  await createSharedDomain(path);
  return Domain.open({ sharedDirectory: path });
}

test('an entry counts if it is a file of the user who owns the directory of its node', async (t) => {
  const domain = await freshShared(t);
  using node = publishNode(domain, 'node');
  const folder = join(domain.services, `${'a'.repeat(20)}-00000000`);
  mkdirSync(folder);
  const port = portFileName({ node: node.id, port: 1, kind: 'publisher' });
  for (const name of [node.id, port, FOREIGN, 'service.json', `${FOREIGN}-00000001.pub`])
    writeFileSync(join(folder, name), '');
  symlinkSync('/etc/passwd', join(folder, portFileName({ node: node.id, port: 2, kind: 'publisher' })));
  mkdirSync(join(folder, portFileName({ node: node.id, port: 3, kind: 'publisher' })));
  assert.deepEqual(listEntries(domain, folder).sort(), [node.id, port]);
  assert.equal(entryOwner(domain, folder, node.id), process.geteuid?.());
  assert.equal(entryOwner(domain, folder, FOREIGN), undefined);
});

test('of one user so many names are told, and others when those vanish', async (t) => {
  const domain = await freshShared(t);
  using node = publishNode(domain, 'node');
  const folder = join(domain.services, `${'a'.repeat(20)}-00000000`);
  mkdirSync(folder);
  const names = Array.from({ length: 1_100 }, (_, port) =>
    portFileName({ node: node.id, port, kind: 'publisher' }),
  );
  for (const name of names) writeFileSync(join(folder, name), '');
  const told = new Set<string>();
  using watch = new ServiceWatch(
    folder,
    ({ what, name }) => {
      if (what === 'appeared') told.add(name);
      else told.delete(name);
    },
    domain,
  );
  assert.equal(told.size, 1_024);
  const [first = '', second = ''] = told;
  for (const name of [first, second]) unlinkSync(join(folder, name));
  watch.scan();
  watch.scan();
  assert.equal(told.size, 1_024);
  assert.ok(!told.has(first) && !told.has(second));
});

test('what was half made or half removed goes with the next node', async (t) => {
  const domain = await freshShared(t);
  for (const name of [`${FOREIGN}.new`, `${FOREIGN}.old`, 'e'.repeat(16)]) {
    mkdirSync(join(domain.nodes, name));
    writeFileSync(join(domain.nodes, name, 'node.json'), '');
  }
  for (const ending of ['.new', '.old', ''])
    mkdirSync(join(domain.services, `${'b'.repeat(20)}-00000000${ending}`));
  mkdirSync(join(domain.services, 'of somebody else'));
  using node = publishNode(domain, 'node');
  sweepLeftBehind(domain, node.id);
  assert.deepEqual(readdirSync(domain.nodes), [node.id]);
  assert.deepEqual(listNodeIds(domain), [node.id]);
  assert.deepEqual(readdirSync(domain.services), ['of somebody else']);
});

test('whatever step a process is killed before, the next node of its user removes what it left, and the service of others lives on', async (t) => {
  const domain = await freshShared(t);
  const services = freshNode(t, domain);
  for (const used of [false, true]) {
    if (used) services.create(PUBLISH_SUBSCRIBE, 'x');
    const before = contents(domain);
    let left = 0;
    for (let step = 0; await killBefore(t, domain, step); step++) {
      assert.ok(step < MOST_STEPS, 'the life of a node has an end');
      left += contents(domain).length - before.length;
      sweepLeftBehind(domain, services.node);
      assert.deepEqual(contents(domain), before, `killed before step ${step}`);
    }
    assert.ok(left > 20, 'the processes left something');
  }
});

/** Lets a process live and die in the domain; whether it was killed before that step, and not done before. */
async function killBefore(t: TestContext, domain: Domain, step: number): Promise<boolean> {
  const child = await startActor(t, domain, 'pass', 'x', step);
  const word = await go(child);
  await kill(child);
  assert.ok(word === undefined || word === 'done', String(word));
  return word === undefined;
}

test('of several processes that open or create a service at once all have the same one', async (t) => {
  const domain = await freshShared(t);
  const children = await Promise.all(Array.from({ length: 4 }, () => startActor(t, domain, 'hold', 'x')));
  assert.deepEqual(await Promise.all(children.map(go)), Array(4).fill('done'));
  const [service, ...more] = listServices(domain);
  assert.deepEqual([service?.nodes.length, service?.ports.length, more], [4, 4, []]);
});
