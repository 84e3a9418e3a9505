/** Processes are killed before every step they take in a domain, and many act at once; what comes after finds a whole domain. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Domain } from './domain.js';
import { contents, freshDomain, freshNode, go, holder, kill, startActor } from './domain.test.helper.js';
import { listNodes, listServices } from './listing.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { serviceFolderName } from './names.js';

/** More steps than a node takes in its life. */
const MOST_STEPS = 100;
const FOLDER = `services/${serviceFolderName('x')}`;

/** Lets a process live and die in the domain; whether it was killed before that step, and not done before. */
async function killBefore(t: TestContext, domain: Domain, step: number): Promise<boolean> {
  const child = await startActor(t, domain, 'pass', 'x', step);
  const word = await go(child);
  await kill(child);
  assert.ok(word === undefined || word === 'done', String(word));
  return word === undefined;
}

/** All files of a domain in which one node has the service open. */
function filesOf(node: string): string[] {
  return [`nodes/${node}.json`, `nodes/${node}.sock`, FOLDER, `${FOLDER}/${node}`, `${FOLDER}/service.json`];
}

function look(domain: Domain): void {
  listNodes(domain);
  listServices(domain);
}

test('whatever step a process is killed before, the next one to look removes what it left', async (t) => {
  const domain = freshDomain(t);
  let left = 0;
  for (let step = 0; await killBefore(t, domain, step); step++) {
    assert.ok(step < MOST_STEPS, 'the life of a node has an end');
    left += contents(domain).length;
    look(domain);
    assert.deepEqual(contents(domain), [], `killed before step ${step}`);
  }
  assert.ok(left > 20, 'the processes left something');
  assert.deepEqual(contents(domain), []);
});

test('whatever step a process is killed before, the service can be created by the next one', async (t) => {
  const domain = freshDomain(t);
  const services = freshNode(t, domain);
  for (let step = 0; await killBefore(t, domain, step); step++) {
    const service = services.create(PUBLISH_SUBSCRIBE, 'x');
    look(domain);
    assert.deepEqual(contents(domain), filesOf(services.node).sort(), `killed before step ${step}`);
    service.close();
  }
});

test('whatever step a process is killed before, the service of others lives on', async (t) => {
  const domain = freshDomain(t);
  const services = freshNode(t, domain);
  services.create(PUBLISH_SUBSCRIBE, 'x');
  const before = contents(domain);
  for (let step = 0; await killBefore(t, domain, step); step++) {
    look(domain);
    assert.deepEqual(contents(domain), before, `killed before step ${step}`);
  }
});

test('of several processes that create a service at once exactly one does', async (t) => {
  const domain = freshDomain(t);
  const children = await Promise.all(Array.from({ length: 5 }, () => startActor(t, domain, 'create', 'x')));
  const words = await Promise.all(children.map(go));
  assert.equal(words.filter((word) => word === 'done').length, 1, String(words));
  assert.equal(words.filter((word) => word === 'ERR_SEALANE_SERVICE_EXISTS').length, 4, String(words));
});

test('of several processes that open or create a service at once all have the same one', async (t) => {
  const domain = freshDomain(t);
  const children = await Promise.all(Array.from({ length: 5 }, () => startActor(t, domain, 'hold', 'x')));
  assert.deepEqual(await Promise.all(children.map(go)), Array(5).fill('done'));
  const [service, ...more] = listServices(domain);
  assert.deepEqual(more, []);
  assert.equal(service?.nodes.length, 5);
  assert.deepEqual(service?.ports.map(({ pid }) => pid).sort(), children.map(({ pid }) => pid).sort());
});

test('a service whose last node was killed is gone, and one whose other node lives is not', async (t) => {
  const domain = freshDomain(t);
  const [first, second] = [await holder(t, domain, 'x'), await holder(t, domain, 'x')];
  await kill(first);
  freshNode(t, domain).open(PUBLISH_SUBSCRIBE, 'x').close();
  await kill(second);
  assert.throws(() => freshNode(t, domain).open(PUBLISH_SUBSCRIBE, 'x'), { code: 'ERR_SEALANE_NO_SERVICE' });
  look(domain);
  assert.equal(contents(domain).filter((name) => name.startsWith('services')).length, 0);
});
