// Whom a client believes to be behind a socket: whoever called listen(), as the kernel says, not the process that answers.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BrokerOptions, ConnectOptions } from 'sealane';
import { UnixSocket } from 'sealane/internal';
import { TestProcess } from './processes.js';

const SERVICE_UID = 23_456;
const CLIENT_UID = 34_567;

const skip = process.geteuid?.() === 0 ? false : 'only root can run processes of other users';

/** A folder that others may enter, of one user. */
function openFolder(t: TestContext, uid: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-passed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  chownSync(folder, uid, uid);
  return folder;
}

async function serve(t: TestContext, options: BrokerOptions, fds: number[] = []): Promise<TestProcess> {
  const words = [String(SERVICE_UID), 'serve', JSON.stringify(options)];
  const broker = new TestProcess('user', words, { stdio: ['ignore', 'pipe', 'inherit', ...fds] });
  t.after(() => broker.kill());
  assert.equal(await broker.line(), 'ready');
  return broker;
}

async function connectAs(t: TestContext, options: ConnectOptions): Promise<string> {
  const client = new TestProcess('user', [String(CLIENT_UID), 'connect', JSON.stringify(options)]);
  t.after(() => client.kill());
  return await client.line();
}

test('a socket that root opened is trusted by every client, whatever user its broker runs as', {
  skip,
}, async (t) => {
  const path = join(openFolder(t, 0), 'broker.sock');
  using listener = UnixSocket.listen(path, 5);
  chmodSync(path, 0o666);
  const broker = await serve(t, { socket: { fd: 3 }, users: [CLIENT_UID] }, [listener.fd]);
  assert.equal(await connectAs(t, { socket: path }), `served by ${broker.pid}`);
});

test('a socket that another user opened is not trusted unless the client names that user', {
  skip,
}, async (t) => {
  const socket = join(openFolder(t, SERVICE_UID), 'broker.sock');
  const broker = await serve(t, { socket, users: [CLIENT_UID] });
  assert.equal(await connectAs(t, { socket }), 'ERR_SEALANE_UNTRUSTED_PEER');
  assert.equal(await connectAs(t, { socket, trustedUsers: [SERVICE_UID] }), `served by ${broker.pid}`);
});
