/** Streams over real sockets: parts that are taken, descriptors on the first byte, and the end of one direction. */
import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSealaneError } from '../base/errors.js';
import { closeDescriptor, inspect } from './descriptor.js';
import { Memfd } from './memfd.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-stream-'));
after(() => rmSync(folder, { recursive: true }));

/** How many descriptors this process has of it. Threads may close others meanwhile. */
function descriptorsOf({ fd }: Memfd): number {
  const { dev, ino } = fstatSync(fd);
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      const found = fstatSync(Number(name));
      return found.dev === dev && found.ino === ino;
    } catch {
      return false;
    }
  }).length;
}

test('a stream has no bounds: what was written in parts is received together', () => {
  const [first, second] = UnixSocket.pair('stream');
  using _first = first;
  using _second = second;
  assert.equal(first.write(Buffer.from('ab')), 2);
  assert.equal(first.write(Buffer.from('cd')), 2);
  const buffer = Buffer.alloc(10);
  const piece = second.receive(buffer);
  assert(typeof piece === 'object');
  assert.equal(buffer.subarray(0, piece.bytes).toString(), 'abcd');
  assert.equal(second.receive(buffer), 'empty');
});

test('a peer that has ended its own direction is there, one that has closed is gone', () => {
  const [first, second] = UnixSocket.pair('stream');
  using _first = first;
  assert.equal(first.peerGone, false);
  second.finish();
  assert.equal(first.peerGone, false);
  second.close();
  assert.equal(first.peerGone, true);
});

test('a stream that is full takes a part, then nothing, and goes on when somebody reads', () => {
  const [first, second] = UnixSocket.pair('stream');
  using _first = first;
  using _second = second;
  const large = Buffer.alloc(16_777_216);
  const taken = first.write(large);
  assert(typeof taken === 'number' && taken > 0 && taken < large.length);
  assert.equal(first.write(large), 'full');
  while (second.receive(large) !== 'empty');
  assert.equal(typeof first.write(large), 'number');
});

test('descriptors ride on the first byte that is taken, and belong to the receiver', () => {
  const [first, second] = UnixSocket.pair('stream');
  using _first = first;
  using _second = second;
  using memfd = Memfd.sealed('test', Buffer.from('x'));
  first.write(Buffer.from('abc'), [memfd.fd, memfd.fd]);
  const piece = second.receive(Buffer.alloc(1));
  assert(typeof piece === 'object');
  assert.equal(piece.descriptors.length, 2);
  for (const descriptor of piece.descriptors) {
    assert.equal(inspect(descriptor).inode, inspect(memfd.fd).inode);
    closeDescriptor(descriptor);
  }
  const rest = second.receive(Buffer.alloc(9));
  assert(typeof rest === 'object');
  assert.deepEqual([rest.bytes, rest.descriptors], [2, []]);
});

test('who finished can still be answered', () => {
  const [first, second] = UnixSocket.pair('stream');
  using _first = first;
  using _second = second;
  first.write(Buffer.from('question'));
  first.finish();
  assert(typeof second.receive(Buffer.alloc(8)) === 'object');
  assert.equal(second.receive(Buffer.alloc(8)), 'end');
  second.write(Buffer.from('answer'));
  assert(typeof first.receive(Buffer.alloc(8)) === 'object');
  first.close();
  assert.throws(
    () => second.write(Buffer.from('x')),
    (error) => isSealaneError(error, 'ERR_SEALANE_CONNECTION_LOST'),
  );
});

test('streams are listened for and connected to; packets find no stream', () => {
  const path = join(folder, 'socket');
  using listener = UnixSocket.listen(path, 1, 'stream');
  using client = UnixSocket.connect(path, 'stream');
  using server = listener.accept();
  assert.equal(server?.peer.pid, process.pid);
  assert.equal(client?.write(Buffer.from('x')), 1);
  assert.throws(
    () => UnixSocket.connect(path),
    (error) => isSealaneError(error) && error.errnoName === 'EPROTOTYPE',
  );
});

for (const kind of ['packet', 'stream'] as const) {
  test(`of whom no descriptor is wanted, none is taken, and what came with it stays (${kind})`, async () => {
    const [first, second] = UnixSocket.pair(kind);
    using memfd = Memfd.sealed('bare', Buffer.from('x'));
    const into = Buffer.alloc(10);
    assert.equal(second.receiveBare(into), 'empty');
    first.send(Buffer.from('a'));
    assert(typeof second.receiveBare(into) === 'object');
    first.send(Buffer.from('bc'), [memfd.fd]);
    assert.equal(second.receiveBare(into), 'descriptors');
    assert.equal(second.receiveBare(into), 'descriptors');
    assert.equal(descriptorsOf(memfd), 1);
    const packet = second.receive(into);
    assert(typeof packet === 'object');
    assert.equal(into.toString('latin1', 0, packet.bytes), 'bc');
    for (const fd of packet.descriptors) closeDescriptor(fd);
    assert.equal(packet.descriptors.length, 1);
    first.close();
    assert.equal(second.receiveBare(into), 'end');
    second.close();
  });
}
