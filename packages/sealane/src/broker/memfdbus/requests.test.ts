/** What memfdbus clients can ask, over the store that native clients use; and every failure with its status and text. */
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { BLOB_SEALS, inspect, SEAL_WRITE } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { encodeMemfdbusHeader, MEMFDBUS_COMMAND } from '../../wire/index.js';
import { get as getByName, readText } from '../raw-client.test.helper.js';
import { digestOf, MemfdbusBroker, refused, requestOf, succeeded } from './client.test.helper.js';

const DIGEST = digestOf('');
const { put: PUT, get: GET, list: LIST, drop: DROP } = MEMFDBUS_COMMAND;

test('what is put is got by name and by id, listed, and dropped', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const id = await broker.put('model', 'content');
  for (const selector of [{ name: 'model' }, { objectId: id }]) {
    const { header, name, text, descriptors } = succeeded(await broker.ask('get', selector));
    assert.deepEqual([header.objectId, header.size, name, text], [id, 7n, 'model', digestOf('content')]);
    assert.deepEqual(
      descriptors.map((fd) => readText(fd)),
      ['content'],
    );
  }
  assert.equal(
    succeeded(await broker.ask('list')).text,
    `${id}\towner=-\tallowed=-\t7\t${digestOf('content')}\tmodel\n`,
  );
  assert.equal(succeeded(await broker.ask('drop', { name: 'model' })).header.objectId, id);
  refused(await broker.ask('get', { name: 'model' }), 'notFound', 'object not found', GET);
  assert.equal(succeeded(await broker.ask('list')).text, '');
});

test('native clients and memfdbus clients share the store; an object without digest gets one', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const native = await broker.native.open();
  await native.put('native', { owner: 'a', allowed: ['b', 'c,d'] }, Buffer.from('one'));
  const { text } = succeeded(await broker.ask('list', { job: 'c,d' }));
  assert.equal(text, `1\towner=a\tallowed=b,c\\054d\t3\t${digestOf('one')}\tnative\n`);
  await native.put(undefined, {}, Buffer.from('two'));
  const unnamed = succeeded(await broker.ask('get', { objectId: 2n }));
  assert.deepEqual([unnamed.name, unnamed.text], ['', digestOf('two')]);
  await broker.put('foreign', 'three');
  const { descriptors } = await native.call(getByName('foreign'));
  assert.equal(readText(descriptors[0] ?? -1), 'three');
});

test('each get has a file offset of its own, and cannot change the object', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  await broker.put('shared', 'abc');
  for (let round = 0; round < 2; round++) {
    const { descriptors } = succeeded(await broker.ask('get', { name: 'shared' }));
    const [fd = -1] = descriptors;
    const buffer = Buffer.alloc(3);
    assert.equal(readSync(fd, buffer, 0, 3, null), 3);
    assert.equal(buffer.toString(), 'abc');
    assert.equal((inspect(fd).seals & BLOB_SEALS) === BLOB_SEALS, true);
  }
});

test('a name resolves to the newest object that the caller may see', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const first = await broker.put('x', '1', { job: 'a' });
  const second = await broker.put('x', '2', { job: 'b', allowed: 'c' });
  const idFor = async (job: string): Promise<bigint> =>
    succeeded(await broker.ask('get', { name: 'x', job })).header.objectId;
  assert.deepEqual([await idFor('a'), await idFor('b'), await idFor('c')], [first, second, second]);
  refused(await broker.ask('get', { name: 'x', job: 'd' }), 'forbidden', 'access denied', GET);
  refused(await broker.ask('get', { objectId: first, job: 'b' }), 'forbidden', 'access denied', GET);
  refused(await broker.ask('drop', { name: 'x', job: 'c' }), 'forbidden', 'access denied', DROP);
  assert.equal(succeeded(await broker.ask('drop', { name: 'x' })).header.objectId, second);
  assert.equal(succeeded(await broker.ask('drop', { name: 'x' })).header.objectId, first);
  refused(await broker.ask('drop', { objectId: 2n ** 63n }), 'notFound', 'object not found', DROP);
});

test('a name may be any UTF-8, and nothing else', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const native = await broker.native.open();
  for (let byte = 0; byte < 256; byte++) {
    const name = Uint8Array.of(byte);
    if (byte === 0 || byte > 127) {
      const text = byte === 0 ? 'name must not be empty' : 'name is not valid UTF-8';
      refused(await broker.ask('put', { name, size: 0n, text: DIGEST }), 'badRequest', text, PUT);
      continue;
    }
    using memfd = Memfd.sealed('test', new Uint8Array(0));
    succeeded(await broker.ask('put', { name, size: 0n, text: DIGEST }, [memfd.fd]));
    assert.equal(succeeded(await broker.ask('get', { name })).name, String.fromCharCode(byte));
    const { response } = await native.call(getByName(String.fromCharCode(byte)));
    assert(response.type === 'get' && response.object.name === String.fromCharCode(byte));
  }
  const { text } = succeeded(await broker.ask('list'));
  const lines = text.split('\n').slice(0, -1);
  assert.equal(lines.length, 127);
  for (const line of lines) {
    assert.equal(line.split('\t').length, 6);
    assert.doesNotMatch(line.replaceAll('\t', ''), /\p{Cc}/u);
  }
  for (const name of ['\u0080', 'ü', '€', '\u{10ffff}', '\u{1f40b} whale', '../x', '-', '*', 'a\0b']) {
    const id = await broker.put(name, '');
    assert.equal(succeeded(await broker.ask('get', { objectId: id })).name, name);
  }
});

test('all jobs that an object allows stand in its line, joined by commas', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const native = await broker.native.open();
  await native.put('n', { owner: 'o\n,', allowed: ['a', 'b\tc', 'd,e', '\\'] }, Buffer.from('x'));
  for (const job of ['a', 'b\tc', 'd,e', '\\', 'o\n,']) {
    const { text } = succeeded(await broker.ask('list', { job }));
    assert.equal(text, `1\towner=o\\n,\tallowed=a,b\\tc,d\\054e,\\\\\t1\t${digestOf('x')}\tn\n`);
  }
  assert.equal(succeeded(await broker.ask('list', { job: 'e' })).text, '');
});

test('a name can not forge a line of a list', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  await broker.put('a\n9\towner=-\\', '', { job: 'j\tk' });
  const { text } = succeeded(await broker.ask('list'));
  assert.equal(text, `1\towner=j\\tk\tallowed=-\t0\t${DIGEST}\ta\\n9\\towner=-\\\\\n`);
});

test('the lengths of a header are refused before the payload comes', async (t) => {
  const broker = await MemfdbusBroker.start(t, { maxNameBytes: 10, maxMemfdbusRequestBytes: 1_000 });
  const head = (command: number, fields: Parameters<typeof encodeMemfdbusHeader>[1]) =>
    broker.send(encodeMemfdbusHeader(command, fields));
  for (const command of [PUT, GET, DROP]) {
    refused(await head(command, { nameBytes: 65_537 }), 'badRequest', 'name too long', command);
    refused(await head(command, { nameBytes: 1, jobBytes: 257 }), 'badRequest', 'job id too long', command);
    refused(
      await head(command, { nameBytes: 1, textBytes: 4_294_967_295 }),
      'badRequest',
      'request payload exceeds broker limit',
      command,
    );
    refused(
      await head(command, { nameBytes: 11 }),
      'badRequest',
      'object name exceeds broker name limit',
      command,
    );
  }
  refused(await head(PUT, { allowedBytes: 257 }), 'badRequest', 'allowed job id too long', PUT);
  refused(await head(LIST, { jobBytes: 257 }), 'badRequest', 'job id too long', LIST);
  refused(await head(LIST, { textBytes: 1_001 }), 'badRequest', 'request payload exceeds broker limit', LIST);
  for (const command of [GET, DROP]) {
    const both = 'specify object id or name, not both';
    refused(await head(command, { nameBytes: 1, objectId: 1n }), 'badRequest', both, command);
    refused(await head(command, {}), 'badRequest', 'missing object selector', command);
  }
  refused(await head(5, {}), 'badRequest', 'unknown command', 5);
  refused(await broker.send(Buffer.alloc(48)), 'badRequest', 'invalid protocol header', 0);
  refused(await broker.send(Buffer.alloc(100_000, 'x')), 'badRequest', 'invalid protocol header', 0);
});

test('the texts of a put are refused in their order', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const invalid = new Uint8Array([0x61, 0xff]);
  const zero = new Uint8Array(1);
  const cases = [
    [{ name: '', text: DIGEST }, 'name must not be empty'],
    [{ name: '\0x', text: DIGEST }, 'name must not be empty'],
    [{ name: 'x', text: DIGEST.slice(1) }, 'invalid object digest'],
    [{ name: 'x', text: DIGEST.toUpperCase() }, 'invalid object digest'],
    [{ name: 'x', text: DIGEST, allowed: 'b' }, 'allowed job requires owner job'],
    [{ name: 'x', text: DIGEST, job: zero }, 'job id must not be empty'],
    [{ name: 'x', text: DIGEST, job: 'a', allowed: zero }, 'allowed job id must not be empty'],
    [{ name: invalid, text: DIGEST }, 'name is not valid UTF-8'],
    [{ name: 'x', text: DIGEST, job: invalid }, 'job id is not valid UTF-8'],
    [{ name: 'x', text: DIGEST, job: 'a', allowed: invalid }, 'allowed job id is not valid UTF-8'],
    [{ name: 'x', text: DIGEST }, 'missing memfd descriptor'],
  ] as const;
  for (const [fields, text] of cases) refused(await broker.ask('put', fields), 'badRequest', text, PUT);
  refused(await broker.ask('get', { name: invalid }), 'badRequest', 'name is not valid UTF-8', GET);
  refused(await broker.ask('list', { job: zero }), 'badRequest', 'job id must not be empty', LIST);
});

test('a client that ends in the middle of its request is told what was missing', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const whole = requestOf(PUT, { name: 'name', text: DIGEST, job: 'job', allowed: 'all' });
  const texts = [
    [4, 'failed to read object name'],
    [71, 'failed to read object digest'],
    [3, 'failed to read job id'],
    [3, 'failed to read allowed job id'],
  ] as const;
  let end = 48;
  for (const [length, text] of texts) {
    end += length;
    const client = broker.connect();
    client.send(whole.subarray(0, end - 1));
    client.finish();
    refused(await client.reply(), 'badRequest', text, PUT);
  }
  const silent = broker.connect();
  silent.send(whole.subarray(0, 47));
  silent.finish();
  assert.equal(await silent.reply(), undefined);
});

test('descriptors that are no sealed memfd of the stated size are refused', async (t) => {
  const broker = await MemfdbusBroker.start(t);
  const ask = (fd: number, size = 0n) => broker.ask('put', { name: 'x', size, text: DIGEST }, [fd]);
  const notMemfd = 'descriptor is not a regular memfd-like file';
  for (const path of ['/dev/null', '/tmp', '/proc/version', process.execPath]) {
    const fd = openSync(path, constants.O_RDONLY);
    refused(await ask(fd, path === process.execPath ? BigInt(inspect(fd).size) : 0n), 'badRequest', notMemfd);
    closeSync(fd);
  }
  using unsealed = Memfd.create('test', 3);
  refused(await ask(unsealed.fd, 4n), 'badRequest', 'size mismatch: header=4 fd=3', PUT);
  refused(
    await ask(unsealed.fd, 2n ** 64n - 1n),
    'badRequest',
    'size mismatch: header=18446744073709551615 fd=3',
  );
  unsealed.seal(BLOB_SEALS & ~SEAL_WRITE & ~1);
  refused(await ask(unsealed.fd, 3n), 'badRequest', 'fd is not fully immutable-sealed', PUT);
  using sealed = Memfd.sealed('test', Buffer.from('abc'));
  refused(await ask(sealed.fd, 3n), 'badRequest', 'digest mismatch', PUT);
  assert.equal(broker.native.broker.status().objects, 0);
  assert.equal(broker.native.broker.status().bytes, 0);
});

test('quotas are refused as errors of the broker', async (t) => {
  const broker = await MemfdbusBroker.start(t, { maxObjects: 1, maxMemfdbusListBytes: 60 });
  await broker.put('x', '1');
  using memfd = Memfd.sealed('test', Buffer.from('2'));
  const stated = { name: 'y', size: 1n, text: digestOf('2') };
  refused(await broker.ask('put', stated, [memfd.fd]), 'error', 'broker object quota exceeded', PUT);
  refused(await broker.ask('list'), 'error', 'list response too large', LIST);
  assert.equal(succeeded(await broker.ask('drop', { name: 'x' })).header.objectId, 1n);
  succeeded(await broker.ask('list'));
});
