/** Names of domains, nodes and services, and of the files that stand for them; hostile ones too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkDomainName,
  checkName,
  isNodeId,
  isServiceFolder,
  newNodeId,
  nodeOfEntry,
  nodeOfFile,
  parsePortFileName,
  portFileName,
  serviceFolderName,
} from './names.js';

const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
const NODE = '0123456789abcdef';

test('a domain is a plain name, never a path', () => {
  for (const name of ['default', 'a', 'A.b_c-9', 'x'.repeat(32)]) checkDomainName(name);
  for (const name of [
    '',
    '.',
    '..',
    '.hidden',
    'a/b',
    'a\0b',
    'x'.repeat(33),
    'é',
    'a b',
    'a\n',
    undefined,
    7,
  ])
    assert.throws(() => checkDomainName(name), invalid);
});

test('a service has any printable name of 256 bytes', () => {
  for (const name of ['camera/front', '../../etc', '日本', '.', 'x'.repeat(256)]) checkName('name', name);
  for (const name of ['', 'x'.repeat(257), 'a\0', 'a\nb', '\u001b[2J', '\u0085', '\ud800', 1, undefined])
    assert.throws(() => checkName('name', name), invalid);
});

test('ids of nodes are 16 digits, and no two are the same', () => {
  assert.ok(isNodeId(newNodeId()));
  assert.notEqual(newNodeId(), newNodeId());
  for (const wrong of ['', NODE.toUpperCase(), `${NODE}0`, `${NODE}\n`, '../etc/passwd0000'])
    assert.equal(isNodeId(wrong), false);
});

test('the file of a port tells its node, its number and its kind', () => {
  for (const kind of ['publisher', 'subscriber', 'notifier', 'listener'] as const) {
    for (const port of [0, 1, 0xffff_ffff]) {
      const key = { node: NODE, port, kind };
      assert.deepEqual(parsePortFileName(portFileName(key)), key);
      assert.equal(nodeOfEntry(portFileName(key)), NODE);
    }
  }
  assert.equal(portFileName({ node: NODE, port: 10, kind: 'publisher' }), `${NODE}-0000000a.pub`);
  assert.equal(portFileName({ node: NODE, port: 11, kind: 'listener' }), `${NODE}-0000000b.lsn`);
});

test('other files stand for no port', () => {
  const wrong = [
    '',
    NODE,
    `${NODE}-1.pub`,
    `${NODE}-0000000a.pub.new`,
    `${NODE}-0000000A.pub`,
    `${NODE}-0000000a.sup`,
  ];
  for (const name of [...wrong, 'service.json', `${NODE}-0000000a.pub\n`, '../x']) {
    assert.equal(parsePortFileName(name), undefined);
  }
});

test('whatever a node left behind is known as its own', () => {
  for (const name of [`${NODE}.sock`, `${NODE}.json`, `${NODE}.new`, `${NODE}.json.new`])
    assert.equal(nodeOfFile(name), NODE);
  for (const name of [NODE, `${NODE}-00000001.pub`, `${NODE}-00000001.sub.new`, `${NODE}.new`])
    assert.equal(nodeOfEntry(name), NODE);
  for (const name of ['service.json', '', `${NODE}0`, `${NODE}0.sock`, `x${NODE}`]) {
    assert.equal(nodeOfFile(name), undefined);
    assert.equal(nodeOfEntry(name), undefined);
  }
});

test('a service has a folder of its own, whatever its name', () => {
  assert.equal(serviceFolderName('camera/front'), serviceFolderName('camera/front'));
  assert.notEqual(serviceFolderName('a'), serviceFolderName('A'));
  assert.ok(isServiceFolder(serviceFolderName('../../x')));
  assert.equal(isServiceFolder(`${serviceFolderName('a')}.new`), false);
});
