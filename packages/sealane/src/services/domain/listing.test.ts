/** Listing a domain: all that is there with its state, the dead among it, and nothing that blocks. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileLock } from '../../os/lock.js';
import { contents, freshDomain, freshNode, holder, kill } from './domain.test.helper.js';
import { listNodes, listServices } from './listing.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { serviceFolderName } from './names.js';
import { removeDead } from './sweep.js';

const NODE = '0123456789abcdef';

test('services are listed by name with settings, attributes, nodes and ports', async (t) => {
  const domain = freshDomain(t);
  assert.deepEqual(listServices(domain), []);
  const node = freshNode(t, domain);
  node
    .create(PUBLISH_SUBSCRIBE, 'b', { settings: { history: 2 }, attributes: { unit: 'mm' } })
    .announcePort('subscriber', 3);
  const child = await holder(t, domain, 'b');
  node.create(PUBLISH_SUBSCRIBE, 'a');
  const [a, b, ...more] = listServices(domain);
  assert.deepEqual(more, []);
  assert.deepEqual([a?.definition?.name, b?.definition?.name, b?.folder], ['a', 'b', serviceFolderName('b')]);
  assert.deepEqual(b?.definition?.settings, PUBLISH_SUBSCRIBE.settings.complete({ history: 2 }));
  assert.equal(b?.definition?.attributes.unit, 'mm');
  assert.deepEqual(
    b?.nodes.map(({ pid, state }) => `${pid} ${state}`).sort(),
    [`${process.pid} alive`, `${child.pid} alive`].sort(),
  );
  assert.deepEqual(
    b?.ports.map(({ pid, kind, port }) => `${pid} ${kind} ${port}`).sort(),
    [`${process.pid} subscriber 3`, `${child.pid} publisher 1`].sort(),
  );
});

test('the dead are listed as such, and gone in the next listing', async (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  node.create(PUBLISH_SUBSCRIBE, 'both');
  const child = await holder(t, domain, 'both');
  const alone = await holder(t, domain, 'alone');
  await kill(child);
  await kill(alone);
  const states = () =>
    listServices(domain).map(({ definition, nodes }) => [
      definition?.name,
      nodes.map(({ state }) => state).sort(),
    ]);
  assert.deepEqual(states(), [
    ['alone', ['dead']],
    ['both', ['alive', 'dead']],
  ]);
  assert.deepEqual(states(), [['both', ['alive']]]);
  assert.deepEqual(
    listNodes(domain).map(({ id }) => id),
    [node.node],
  );
});

test('while another holds the lock, a listing does not wait, and removes nothing', async (t) => {
  const domain = freshDomain(t);
  const child = await holder(t, domain, 'x');
  await kill(child);
  const before = contents(domain);
  const lock = FileLock.tryAcquire(join(domain.path, 'lock'));
  assert.deepEqual(
    listServices(domain).map(({ nodes }) => nodes.map(({ state }) => state)),
    [['dead']],
  );
  assert.deepEqual(
    listNodes(domain).map(({ state }) => state),
    ['dead'],
  );
  assert.deepEqual(contents(domain), before);
  lock?.close();
  listNodes(domain);
  assert.deepEqual(contents(domain), []);
});

test('what can not be read is listed with its problem', (t) => {
  const domain = freshDomain(t);
  const service = freshNode(t, domain).create(PUBLISH_SUBSCRIBE, 'x');
  writeFileSync(join(service.folder, 'service.json'), 'junk');
  writeFileSync(domain.nodeFile(service.node), 'junk');
  const [listed] = listServices(domain);
  assert.equal(listed?.definition, undefined);
  assert.match(listed?.problem ?? '', /service\.json is not as it must be: it is no JSON: "junk"/);
  const [node] = listNodes(domain);
  assert.deepEqual([node?.state, node?.info], ['alive', undefined]);
  assert.match(node?.problem ?? '', /no JSON/);
});

test('what is left of services half made and half removed goes when somebody looks', (t) => {
  const domain = freshDomain(t);
  const folder = domain.serviceFolder('x');
  mkdirSync(join(`${folder}.new`, 'deep'), { recursive: true });
  mkdirSync(`${folder}.old`);
  mkdirSync(folder);
  writeFileSync(join(domain.services, 'of nobody'), '');
  mkdirSync(domain.serviceFolder('y'));
  writeFileSync(join(domain.serviceFolder('y'), NODE), '');
  listServices(domain);
  assert.deepEqual(readdirSync(domain.services), ['of nobody']);
});

test('whoever removes a dead node also removes what is left of services half made and half removed', async (t) => {
  const domain = freshDomain(t);
  const child = await holder(t, domain, 'x');
  const [node] = listNodes(domain);
  mkdirSync(join(`${domain.serviceFolder('y')}.new`, 'deep'), { recursive: true });
  writeFileSync(`${domain.serviceFolder('z')}.old`, '');
  await kill(child);
  assert.equal(removeDead(domain, node?.id ?? ''), true);
  assert.deepEqual(contents(domain), []);
});
