/** Listening sockets that were made elsewhere: what is accepted as one, and what is refused with which words. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { closeDescriptor } from './descriptor.js';
import { requireListener } from './listener.js';
import { UnixSocket } from './unix-socket.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-listener-'));
after(() => rmSync(folder, { recursive: true }));

/** The descriptor of a listening stream socket of Node.js, which ends with the test. */
async function streamServer(t: TestContext, where: { path: string } | { port: number }): Promise<number> {
  const server = createServer().listen(where);
  t.after(() => server.close());
  await once(server, 'listening');
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

function refuses(fd: number, words: RegExp, kind?: 'packet' | 'stream'): void {
  assert.throws(
    () => requireListener('the socket', fd, kind),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_SEALANE_INVALID_ARGUMENT');
      assert.match(error.message, /^the socket must be a listening Unix socket/);
      assert.match(error.message, words);
      return true;
    },
  );
}

test('a listening socket of either type is known by its type and its path', async (t) => {
  const path = join(folder, 'packets');
  using listener = UnixSocket.listen(path, 1);
  assert.deepEqual(requireListener('it', listener.fd), { kind: 'packet', path });
  assert.deepEqual(requireListener('it', listener.fd, 'packet'), { kind: 'packet', path });
  const streamPath = join(folder, 'stream');
  const fd = await streamServer(t, { path: streamPath });
  assert.deepEqual(requireListener('it', fd), { kind: 'stream', path: streamPath });
});

test('a path of 107 bytes is told whole', () => {
  const path = join(folder, 'x'.repeat(107 - folder.length - 1));
  using listener = UnixSocket.listen(path, 1);
  assert.equal(requireListener('it', listener.fd).path, path);
});

test('a socket of the other type is refused by its name', async (t) => {
  using listener = UnixSocket.listen(join(folder, 'wrong'), 1);
  refuses(listener.fd, /of type SOCK_STREAM .* has type SOCK_SEQPACKET/, 'stream');
  const fd = await streamServer(t, { path: join(folder, 'wrong stream') });
  refuses(fd, /of type SOCK_SEQPACKET .* has type SOCK_STREAM/, 'packet');
});

test('what does not listen is refused, and so is what is no socket, no Unix socket, or not open', async (t) => {
  const [one, two] = UnixSocket.pair();
  refuses(one.fd, /does not listen.*Accept=no/);
  one.close();
  two.close();
  const tcp = await streamServer(t, { port: 0 });
  refuses(tcp, /is a socket of domain (2|10): pass a Unix socket/);
  const file = openSync('/dev/null', 'r');
  refuses(file, new RegExp(`descriptor ${file} is no socket`));
  closeDescriptor(file);
  refuses(file, /is not open/);
});

test('a socket with an abstract address is refused: no client could name it', async (t) => {
  const fd = await streamServer(t, { path: `\0sealane-test-${process.pid}` });
  refuses(fd, /is bound to the abstract address "@sealane-test-\d+.*: bind it to a path/);
});

test('a duplicate accepts without waiting, is closed on exec, and leaves the original open', () => {
  const path = join(folder, 'duplicate');
  using listener = UnixSocket.listen(path, 1);
  const copy = UnixSocket.duplicateListener(listener.fd);
  assert.equal(copy.accept(), undefined);
  assert.match(readFileSync(`/proc/self/fdinfo/${copy.fd}`, 'latin1'), /flags:\s*02\d{6}/);
  using client = UnixSocket.connect(path);
  using accepted = copy.accept();
  assert(client !== undefined && accepted !== undefined);
  copy.close();
  assert.equal(listener.accept(), undefined);
});
