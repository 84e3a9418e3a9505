/** Packets with descriptors over real sockets, and every way in which a connection ends or fills up. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SealaneError } from '../base/errors.js';
import { closeDescriptor, duplicate, inspect } from './descriptor.js';
import { Memfd } from './memfd.js';
import { type Packet, UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-socket-'));
after(() => rmSync(folder, { recursive: true }));

const SOCKET_MODULE = JSON.stringify(new URL('./unix-socket.js', import.meta.url).href);
let paths = 0;

function freshPath(): string {
  paths += 1;
  return join(folder, `s${paths}`);
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.code === code;
}

function hasErrno(name: string): (error: unknown) => boolean {
  return (error) => error instanceof SealaneError && error.errnoName === name;
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function receivePacket(socket: UnixSocket, into: Uint8Array = Buffer.alloc(1000)): Packet {
  const packet = socket.receive(into);
  assert(typeof packet === 'object', `no packet: ${packet}`);
  return packet;
}

function withPair(run: (one: UnixSocket, two: UnixSocket) => void): void {
  const [one, two] = UnixSocket.pair();
  try {
    run(one, two);
  } finally {
    one.close();
    two.close();
  }
}

test('packets keep their bounds and their order', () => {
  withPair((one, two) => {
    assert.equal(one.send(Buffer.from('first')), 'sent');
    assert.equal(one.send(Buffer.from('2nd')), 'sent');
    const into = Buffer.alloc(100);
    assert.deepEqual(two.receive(into), {
      bytes: 5,
      descriptors: [],
      descriptorsLost: false,
      truncated: false,
    });
    assert.equal(into.toString('latin1', 0, 5), 'first');
    assert.equal(receivePacket(two, into).bytes, 3);
    assert.equal(two.receive(into), 'empty');
  });
});

test('a descriptor arrives as another one of the same file, close-on-exec, and the sender keeps its own', () => {
  withPair((one, two) => {
    using memfd = Memfd.sealed('sent', Buffer.alloc(77));
    one.send(Buffer.from('x'), [memfd.fd]);
    const [fd = -1] = receivePacket(two).descriptors;
    assert.notEqual(fd, memfd.fd);
    assert.equal(inspect(fd).inode, inspect(memfd.fd).inode);
    assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'), /flags:\s*02\d{6}/);
    closeDescriptor(fd);
    assert.equal(memfd.size, 77);
  });
});

test('up to five descriptors travel in one packet, in their order', () => {
  withPair((one, two) => {
    const memfds = [10, 20, 30, 40, 50].map((size) => Memfd.create('several', size));
    one.send(
      Buffer.from('x'),
      memfds.map((memfd) => memfd.fd),
    );
    const { descriptors, descriptorsLost } = receivePacket(two);
    assert.deepEqual(
      descriptors.map((fd) => inspect(fd).size),
      [10, 20, 30, 40, 50],
    );
    assert.equal(descriptorsLost, false);
    for (const fd of descriptors) closeDescriptor(fd);
    for (const memfd of memfds) memfd.close();
  });
});

test('a packet that is longer than the buffer is reported, with its descriptors', () => {
  withPair((one, two) => {
    using memfd = Memfd.create('truncated');
    one.send(Buffer.alloc(500, 1), [memfd.fd]);
    const packet = receivePacket(two, Buffer.alloc(100));
    assert.deepEqual([packet.bytes, packet.truncated, packet.descriptors.length], [100, true, 1]);
    for (const fd of packet.descriptors) closeDescriptor(fd);
  });
});

/** Runs a Python program with a connected SOCK_SEQPACKET socket as its standard input. Undefined: there is no Python. */
function sendFromPython(program: string): { socket: UnixSocket; ran: boolean } {
  const [one, two] = UnixSocket.pair();
  const code = `import socket, array, os\ns = socket.socket(fileno=os.dup(0))\n${program}`;
  let ran = true;
  try {
    execFileSync('python3', ['-c', code], { stdio: [one.fd, 'ignore', 'ignore'] });
  } catch {
    ran = false;
  }
  one.close();
  return { socket: two, ran };
}

/** Sends `data` with `count` descriptors in one packet. */
function pythonSend(data: string, count: number): string {
  const rights = `[(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * ${count}))]`;
  return `s.sendmsg([${data}], ${rights})`;
}

test('all descriptors that a packet can carry arrive: the kernel would close the rest in this thread', (t) => {
  const before = openDescriptors();
  const { socket, ran } = sendFromPython(pythonSend("b'many'", 253));
  if (!ran) return t.skip('there is no python3');
  const packet = receivePacket(socket);
  assert.equal(packet.bytes, 4);
  assert.equal(packet.descriptorsLost, false);
  assert.equal(packet.descriptors.length, 253);
  for (const fd of packet.descriptors) closeDescriptor(fd);
  socket.close();
  assert.equal(openDescriptors(), before);
});

test('a packet without bytes is the end, and the descriptors in it are closed', async (t) => {
  const before = openDescriptors();
  const { socket, ran } = sendFromPython(pythonSend("b''", 3));
  if (!ran) return t.skip('there is no python3');
  assert.equal(socket.receive(Buffer.alloc(10)), 'end');
  socket.close();
  while (openDescriptors() > before) await nextTurn();
});

for (const bytes of [1, 0]) {
  test(`closing a connection ends it at once, and closes what came in unread packets of ${bytes} bytes`, async (t) => {
    const path = freshPath();
    using listener = UnixSocket.listen(path, 1);
    const [reader, writer] = UnixSocket.pair();
    const send = `s.connect(${JSON.stringify(path)}); s.sendmsg([b'x' * ${bytes}], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])`;
    const code = `import socket, array\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n${send}`;
    const { error } = spawnSync('python3', ['-c', code], { stdio: [writer.fd, 'inherit', 'inherit'] });
    writer.close();
    if (error !== undefined) return t.skip('there is no python3');
    const connection = listener.accept();
    assert.equal(reader.receive(Buffer.alloc(1)), 'empty', 'the unread packet keeps the writer open');
    connection?.close();
    while (reader.receive(Buffer.alloc(1)) === 'empty') await nextTurn();
    assert.equal(reader.receive(Buffer.alloc(1)), 'end');
    reader.close();
  });
}

test('closing one end of a pair that others hold too does not end the connection', () => {
  withPair((one, two) => {
    const held = duplicate(one.fd);
    one.close();
    assert.equal(two.receive(Buffer.alloc(1)), 'empty');
    closeDescriptor(held);
    assert.equal(two.receive(Buffer.alloc(1)), 'end');
  });
});

test('a peer that closed is the end, after what it sent before', () => {
  withPair((one, two) => {
    one.send(Buffer.from('last words'));
    one.close();
    assert.equal(receivePacket(two).bytes, 10);
    assert.equal(two.receive(Buffer.alloc(10)), 'end');
    assert.throws(() => two.send(Buffer.from('x')), hasCode('ERR_SEALANE_CONNECTION_LOST'));
  });
});

test('a peer that closed with unread packets resets the connection, which is the end', () => {
  withPair((one, two) => {
    two.send(Buffer.from('unread'));
    one.close();
    assert.equal(two.receive(Buffer.alloc(10)), 'end');
    assert.equal(two.receive(Buffer.alloc(10)), 'end');
  });
});

test('shutdown ends both directions, and again does nothing', () => {
  withPair((one, two) => {
    one.shutdown();
    one.shutdown();
    assert.equal(two.receive(Buffer.alloc(10)), 'end');
    assert.throws(() => two.send(Buffer.from('x')), hasCode('ERR_SEALANE_CONNECTION_LOST'));
    two.shutdown();
  });
});

test('a queue that is full says so, and takes more when it was read', () => {
  withPair((one, two) => {
    const packet = Buffer.alloc(50_000);
    let sent = 0;
    while (one.send(packet) === 'sent') sent += 1;
    assert(sent > 0);
    assert.equal(one.send(packet), 'full');
    for (let i = 0; i < sent; i++) receivePacket(two);
    assert.equal(one.send(packet), 'sent');
  });
});

test('a packet that is too large for the kernel is an error, and nothing is sent', () => {
  withPair((one, two) => {
    assert.throws(() => one.send(Buffer.alloc(64 * 1_048_576)), hasErrno('EMSGSIZE'));
    assert.equal(two.receive(Buffer.alloc(10)), 'empty');
  });
});

test('too many descriptors under way is no error: the peer has to receive some first', (t) => {
  const program = `
    const { UnixSocket } = await import(${SOCKET_MODULE});
    const [one, two] = UnixSocket.pair();
    const fds = [0, 0, 0, 0, 0];
    const results = [];
    for (let i = 0; i < 40 && results.at(-1) !== 'in-flight'; i++) results.push(one.send(Buffer.from('x'), fds));
    two.receive(Buffer.alloc(1));
    two.receive(Buffer.alloc(1));
    console.log(results[0], results.at(-1), one.send(Buffer.from('x'), fds));`;
  const command = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  // The count is by user and root is exempt, so root becomes a user that nothing else runs as.
  const id = 20_000 + (process.pid % 40_000);
  const user = process.geteuid?.() === 0 ? { uid: id, gid: id } : {};
  const output = execFileSync('sh', ['-c', command, process.execPath, program], {
    encoding: 'utf8',
    ...user,
  });
  if (output.startsWith('in-flight'))
    return t.skip('other processes of this user have descriptors under way');
  assert.equal(output.trim(), 'sent in-flight sent');
});

test('a receiver without a free descriptor learns that descriptors were lost, and an acceptor that it is exhausted', (t) => {
  const path = freshPath();
  const program = `
    const { UnixSocket } = await import(${SOCKET_MODULE});
    const { openSync } = await import('node:fs');
    const [one, two] = UnixSocket.pair();
    const listener = UnixSocket.listen(${JSON.stringify(path)}, 5);
    const client = UnixSocket.connect(${JSON.stringify(path)});
    if (one.send(Buffer.from('x'), [0, 1]) === 'in-flight') {
      console.log('in-flight');
      process.exit();
    }
    let last = 0;
    try {
      for (;;) last = openSync('/dev/null');
    } catch {}
    let code;
    try {
      listener.accept();
    } catch (error) {
      code = error.code + ' ' + error.errnoName;
    }
    const packet = two.receive(Buffer.alloc(1));
    (await import('node:fs')).closeSync(last);
    console.log(packet.descriptors.length, packet.descriptorsLost, code, listener.accept() !== undefined);`;
  const command = 'ulimit -n 60 && exec "$0" --input-type=module -e "$1"';
  const output = execFileSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
  if (output.startsWith('in-flight'))
    return t.skip('other processes of this user have descriptors under way');
  assert.equal(output.trim(), '0 true ERR_SEALANE_EXHAUSTED EMFILE true');
});

test('a listener accepts what connects, and both sides know who the other is', () => {
  const path = freshPath();
  using listener = UnixSocket.listen(path, 10);
  assert.equal(listener.accept(), undefined);
  using client = UnixSocket.connect(path);
  using server = listener.accept();
  assert(client !== undefined && server !== undefined);
  const self = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() };
  assert.deepEqual(server.peer, self);
  assert.deepEqual(client.peer, self);
  client.send(Buffer.from('hello'));
  assert.equal(receivePacket(server).bytes, 5);
});

test('the socket file is closed to others from its birth, whatever the umask', () => {
  for (const mask of [0, 0o777]) {
    const path = freshPath();
    const before = process.umask(mask);
    try {
      using listener = UnixSocket.listen(path, 1);
      assert.equal(listener.closed, false);
    } finally {
      process.umask(before);
    }
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
});

test('a full backlog is undefined, and a place in it is taken when one is accepted', () => {
  const path = freshPath();
  using listener = UnixSocket.listen(path, 0);
  using first = UnixSocket.connect(path);
  assert(first !== undefined);
  assert.equal(UnixSocket.connect(path), undefined);
  using accepted = listener.accept();
  assert(accepted !== undefined);
  using second = UnixSocket.connect(path);
  assert(second !== undefined);
});

test('connecting to nothing and to a dead socket are told apart', () => {
  const path = freshPath();
  assert.throws(() => UnixSocket.connect(path), hasErrno('ENOENT'));
  UnixSocket.listen(path, 1).close();
  assert.throws(() => UnixSocket.connect(path), hasErrno('ECONNREFUSED'));
  assert.throws(() => UnixSocket.listen(path, 1), hasErrno('EADDRINUSE'));
  const file = freshPath();
  writeFileSync(file, '');
  assert.throws(() => UnixSocket.connect(file), hasErrno('ECONNREFUSED'));
});

test('a path of 107 bytes works, and a longer one is refused with the limit', () => {
  const path = join(folder, 'x'.repeat(107 - folder.length - 1));
  assert.equal(path.length, 107);
  using listener = UnixSocket.listen(path, 1);
  using client = UnixSocket.connect(path);
  assert(client !== undefined && !listener.closed);
  for (const call of [() => UnixSocket.listen(`${path}x`, 1), () => UnixSocket.connect(`${path}x`)]) {
    assert.throws(call, hasCode('ERR_SEALANE_INVALID_ARGUMENT'));
    assert.throws(call, /107 bytes/);
  }
});

test('take keeps a socket and closes what is none', () => {
  const [one, two] = UnixSocket.pair();
  using taken = UnixSocket.take(duplicate(one.fd));
  assert.equal(taken.peer.pid, process.pid);
  taken.send(Buffer.from('x'));
  assert.equal(receivePacket(two).bytes, 1);
  const fd = Memfd.create('no socket').release();
  assert.throws(() => UnixSocket.take(fd), hasErrno('ENOTSOCK'));
  assert.throws(() => inspect(fd), hasErrno('EBADF'));
  one.close();
  two.close();
});

test('wrong arguments are TypeErrors, and a bad descriptor among good ones sends nothing', () => {
  withPair((one, two) => {
    assert.throws(() => one.send(new Uint8Array(0)), /the end/);
    assert.throws(() => one.send('text' as unknown as Uint8Array), TypeError);
    assert.throws(() => one.send(Buffer.from('x'), [0, 0, 0, 0, 0, 0]), /at most 5/);
    assert.throws(() => one.send(Buffer.from('x'), [0, -1]), TypeError);
    assert.throws(() => one.send(Buffer.from('x'), [0, 2_000_000_000]), hasErrno('EBADF'));
    assert.throws(() => two.receive(new Uint8Array(0)), TypeError);
    assert.equal(two.receive(Buffer.alloc(1)), 'empty');
  });
});

test('after close every use says so', () => {
  const [one, two] = UnixSocket.pair();
  one.close();
  one.close();
  two.close();
  const uses = [
    () => one.fd,
    () => one.send(Buffer.from('x')),
    () => one.receive(Buffer.alloc(1)),
    () => one.accept(),
  ];
  for (const use of [...uses, () => one.shutdown()]) assert.throws(use, hasCode('ERR_SEALANE_CLOSED'));
});

test('a thousand connections leave no descriptor behind', () => {
  const path = freshPath();
  using listener = UnixSocket.listen(path, 10);
  const before = openDescriptors();
  const into = Buffer.alloc(10);
  for (let i = 0; i < 1000; i++) {
    const client = UnixSocket.connect(path);
    const server = listener.accept();
    client?.send(Buffer.from('x'), [listener.fd]);
    const packet = server?.receive(into);
    if (typeof packet === 'object') for (const fd of packet.descriptors) closeSync(fd);
    client?.close();
    server?.close();
  }
  assert.equal(openDescriptors(), before);
});
