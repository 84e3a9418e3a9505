// Looking at a domain through the public face: plain values of what is there, nothing made, the dead told as dead.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Node } from '../node.js';
import { freshDirectory, freshDomain, holder, kill } from './domain.test.helper.js';
import { listNodes, listServices } from './survey.js';

test('a domain that does not exist has neither nodes nor services, and is not made', async (t) => {
  const directory = join(freshDirectory(t), 'none');
  assert.deepEqual(await listNodes({ directory }), []);
  assert.deepEqual(await listServices({ directory, domain: 'other' }), []);
  assert.ok(!existsSync(directory));
});

test('nodes and services are told with their ports, processes, settings and attributes', async (t) => {
  const directory = freshDirectory(t);
  await using node = await Node.create({ name: 'camera', directory, attributes: { room: 'hall' } });
  const service = await node
    .service('camera/front')
    .publishSubscribe({ maxBytes: 100, attributes: { format: 'rgba' } });
  const publisher = await service.publisher({ maxLoaned: 1 });

  const [listed, ...others] = await listNodes({ directory });
  assert.deepEqual(others, []);
  assert.deepEqual([listed?.id, listed?.name, listed?.state], [node.id, 'camera', 'alive']);
  assert.deepEqual([listed?.pid, listed?.uid], [process.pid, process.geteuid?.()]);
  assert.equal({ ...listed?.attributes }.room, 'hall');
  assert.ok(Math.abs(Date.now() - (listed?.startedAt?.getTime() ?? 0)) < 600_000);

  const [found] = await listServices({ directory });
  assert.deepEqual([found?.name, found?.alive, found?.problem], ['camera/front', true, undefined]);
  assert.ok(found?.messaging === 'publish-subscribe' && found.settings.maxBytes === 100);
  assert.equal({ ...found.attributes }.format, 'rgba');
  assert.deepEqual(found.nodes, [{ id: node.id, state: 'alive', pid: process.pid }]);
  const [port] = found.ports;
  assert.deepEqual(
    [port?.kind, port?.port, port?.pid, port?.options.maxLoaned],
    ['publisher', publisher.port, process.pid, 1],
  );
});

test('a killed process is told as dead once, and its service as not alive', async (t) => {
  const domain = freshDomain(t);
  await kill(await holder(t, domain, 'camera'));
  const { directory } = domain;
  const [service] = await listServices({ directory });
  assert.deepEqual([service?.name, service?.alive, service?.nodes[0]?.state], ['camera', false, 'dead']);
  assert.deepEqual(await listServices({ directory }), []);
  assert.deepEqual(await listNodes({ directory }), []);
});

test('a file that can not be read is told with its problem', async (t) => {
  const directory = freshDirectory(t);
  await using node = await Node.create({ name: 'camera', directory });
  writeFileSync(join(directory, 'domains', 'default', 'nodes', `${node.id}.json`), '{');
  const [listed] = await listNodes({ directory });
  assert.deepEqual([listed?.state, listed?.name], ['alive', undefined]);
  assert.match(listed?.problem ?? '', /json/);
});

test('a wrong domain name and an unknown option are refused', async () => {
  await assert.rejects(listNodes({ domain: '../x' }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  await assert.rejects(listServices({ domian: 'x' } as object), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});
