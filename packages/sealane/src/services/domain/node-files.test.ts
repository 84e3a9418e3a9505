/** Nodes: published all at once, told alive from dead, and doubted in all they say. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { SealaneError } from '../../base/errors.js';
import { UnixSocket } from '../../os/unix-socket.js';
import type { Domain } from './domain.js';
import { contents, freshDomain, holder, kill } from './domain.test.helper.js';
import { listNodes } from './listing.js';
import { isAlive, publishNode, readNode, seeNode } from './node-files.js';
import { removeDead } from './sweep.js';

const NODE = '0123456789abcdef';

test('a node is there with all it says, and gone when it is closed', (t) => {
  const domain = freshDomain(t);
  const node = publishNode(domain, 'camera', { place: 'roof' });
  assert.deepEqual(readNode(domain, node.id), node.info);
  assert.deepEqual({ ...node.info.attributes }, { place: 'roof' });
  assert.equal(node.info.pid, process.pid);
  assert.ok(node.info.startedNs > 1_700_000_000_000_000_000n);
  assert.deepEqual(seeNode(domain, node.id), { state: 'alive', pid: process.pid });
  assert.deepEqual(readdirSync(domain.nodes).sort(), [`${node.id}.json`, `${node.id}.sock`]);
  for (const path of [domain.nodeFile(node.id), domain.nodeSocket(node.id)])
    assert.equal(statSync(path).mode & 0o777, 0o600);
  node.close();
  node.close();
  assert.deepEqual(contents(domain), []);
  assert.equal(isAlive(domain, node.id), false);
  assert.equal(readNode(domain, node.id), undefined);
});

test('several nodes may have one name, and two in one process are two', (t) => {
  const domain = freshDomain(t);
  using first = publishNode(domain, 'twin');
  using second = publishNode(domain, 'twin');
  assert.notEqual(first.id, second.id);
  assert.deepEqual(
    listNodes(domain).map(({ id, state, pid }) => [id, state, pid]),
    [first.id, second.id].sort().map((id) => [id, 'alive', process.pid]),
  );
});

test('wrong names and attributes are refused, and leave nothing', (t) => {
  const domain = freshDomain(t);
  for (const name of ['', 'a\nb', 'x'.repeat(257), 7 as never])
    assert.throws(() => publishNode(domain, name), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.throws(() => publishNode(domain, 'a', { k: 1 } as never), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  assert.deepEqual(contents(domain), []);
});

test('a node whose attributes are as many and as odd as can be is read again', (t) => {
  const domain = freshDomain(t);
  const attributes = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`\u2028"\\${i}`, '\u0001'.repeat(60)]),
  );
  using node = publishNode(domain, '"\\'.repeat(128), attributes);
  assert.deepEqual(readNode(domain, node.id), node.info);
});

test('a node lives while its connections wait to be accepted, however many', (t) => {
  const domain = freshDomain(t);
  using node = publishNode(domain, 'busy');
  const sockets: UnixSocket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.close();
  });
  for (let socket = connect(domain, node.id); socket !== undefined; socket = connect(domain, node.id))
    sockets.push(socket);
  assert.ok(sockets.length > 100);
  assert.equal(isAlive(domain, node.id), true);
});

/** Undefined: the backlog is full, or this process has no descriptor left to fill it. */
function connect(domain: Domain, node: string): UnixSocket | undefined {
  try {
    return UnixSocket.connect(domain.nodeSocket(node));
  } catch (error) {
    if (error instanceof SealaneError && error.code === 'ERR_SEALANE_EXHAUSTED') return undefined;
    throw error;
  }
}

test('a killed node is dead, is listed so once, and is removed by that', async (t) => {
  const domain = freshDomain(t);
  const child = await holder(t, domain, 'x');
  const [alive] = listNodes(domain);
  assert.deepEqual([alive?.state, alive?.pid, alive?.info?.name], ['alive', child.pid, 'hold']);
  await kill(child);
  assert.equal(isAlive(domain, alive?.id ?? ''), false);
  assert.deepEqual(
    listNodes(domain).map(({ id, state, info }) => [id, state, info?.pid]),
    [[alive?.id, 'dead', child.pid]],
  );
  assert.deepEqual(contents(domain), []);
  assert.deepEqual(listNodes(domain), []);
});

test('only the dead are removed', async (t) => {
  const domain = freshDomain(t);
  using node = publishNode(domain, 'living');
  assert.equal(removeDead(domain, node.id), false);
  const child = await holder(t, domain, 'x');
  const dead = listNodes(domain).find(({ pid }) => pid === child.pid)?.id ?? '';
  assert.equal(removeDead(domain, dead), false);
  await kill(child);
  assert.equal(removeDead(domain, dead), true);
  assert.deepEqual(
    listNodes(domain).map(({ id }) => id),
    [node.id],
  );
});

test('a node that is being made is starting, and nobody removes it who does not hold the lock', (t) => {
  const domain = freshDomain(t);
  writeFileSync(domain.nodeFile(NODE), '{}');
  domain.locked(() => {
    assert.deepEqual(seeNode(domain, NODE), { state: 'starting', pid: 0 });
  });
  assert.equal(seeNode(domain, NODE).state, 'starting');
  assert.equal(listNodes(domain)[0]?.state, 'dead');
  assert.deepEqual(contents(domain), []);
});

const VALID = { version: 1, name: 'n', pid: 1, uid: 0, gid: 0, startedNs: '1', attributes: {} };

test('a file of a node is taken only when all in it is as it must be', (t) => {
  const domain = freshDomain(t);
  const read = (content: unknown) => {
    writeFileSync(domain.nodeFile(NODE), typeof content === 'string' ? content : JSON.stringify(content));
    return readNode(domain, NODE);
  };
  assert.equal(read({ ...VALID, more: 'is ignored' })?.name, 'n');
  const wrong: unknown[] = [
    '',
    'junk',
    '\0'.repeat(100),
    '[]',
    'null',
    '"x"',
    '{',
    ' '.repeat(1_048_576),
    '[['.repeat(30_000),
  ];
  for (const [key, values] of Object.entries({
    name: [undefined, '', 1, 'a\nb', 'x'.repeat(257)],
    pid: [undefined, 0, -1, 1.5, '1', 2 ** 33],
    uid: [undefined, -1, 'root'],
    gid: [undefined, -1],
    startedNs: [undefined, 1, '', '-1', '1e9', 'x', '1'.repeat(21)],
    attributes: [undefined, null, [], 'x', { a: 1 }, { a: 'x'.repeat(5_000) }],
    version: [undefined, '1', 1.5, null],
  })) {
    for (const value of values) wrong.push({ ...VALID, [key]: value });
  }
  for (const content of wrong) {
    assert.throws(() => read(content), {
      code: 'ERR_SEALANE_PROTOCOL',
      message: new RegExp(`^the file ${domain.nodeFile(NODE)} is not as it must be: `),
    });
  }
  assert.throws(() => read({ ...VALID, version: 2 }), {
    code: 'ERR_SEALANE_VERSION_MISMATCH',
    message: /version is 2/,
  });
});

test('what is no file in the place of one is an error, not a wait', (t) => {
  const domain = freshDomain(t);
  const path = domain.nodeFile(NODE);
  mkdirSync(path);
  assert.throws(() => readNode(domain, NODE), {
    code: 'ERR_SEALANE_PROTOCOL',
    message: /is not a regular file/,
  });
  rmSync(path, { recursive: true });
  symlinkSync('/etc/passwd', path);
  assert.throws(() => readNode(domain, NODE), {
    code: 'ERR_SEALANE_PROTOCOL',
    message: /is a symbolic link/,
  });
});

test('junk in the folder of nodes keeps nobody from anything, and goes where it stands for the dead', (t) => {
  const domain = freshDomain(t);
  const target = `${domain.path}/target`;
  writeFileSync(target, 'stays');
  writeFileSync(domain.nodeSocket('1'.repeat(16)), 'no socket');
  mkdirSync(domain.nodeSocket('2'.repeat(16)));
  mkdirSync(`${domain.nodeFile('2'.repeat(16))}/deep/er`, { recursive: true });
  symlinkSync(target, domain.nodeSocket('3'.repeat(16)));
  symlinkSync('/', domain.nodeFile('3'.repeat(16)));
  writeFileSync(domain.nodeFile('4'.repeat(16)), 'x'.repeat(1_048_576));
  writeFileSync(`${domain.nodes}/of nobody`, '');
  using node = publishNode(domain, 'living');
  const states = listNodes(domain).map(({ id, state }) => `${id[0]} ${state}`);
  assert.deepEqual(states.filter((text) => !text.includes('alive')).sort(), [
    '1 dead',
    '2 dead',
    '3 dead',
    '4 dead',
  ]);
  assert.deepEqual(
    readdirSync(domain.nodes).sort(),
    [`${node.id}.json`, `${node.id}.sock`, 'of nobody'].sort(),
  );
  assert.equal(statSync(target).size, 5);
});
