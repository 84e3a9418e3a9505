/**
 * For tests, run as a process of its own: many connections that never finish what they begin. Arguments: the path, how many, and
 * whether each sends `nothing`, half a `header`, half a `body`, or a `put` whose digest takes seconds. Connections that the broker ends are closed; the others stay
 * until the parent disconnects.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLOB_SEALS } from '../../os/descriptor.js';
import { Memfd } from '../../os/memfd.js';
import { UnixSocket } from '../../os/unix-socket.js';
import { MEMFDBUS_COMMAND } from '../../wire/index.js';
import { digestOf, requestOf, StreamClient } from './client.test.helper.js';

/** Zeros, which take no memory. */
const LARGE_BYTES = 2 ** 31;

/** What each connection of a crowd sends. */
export type CrowdKind = 'nothing' | 'header' | 'body' | 'put';

/** Starts a crowd, which ends with the test; resolves when all of it has connected. */
export async function forkCrowd(t: TestContext, path: string, count: number, kind: CrowdKind): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [path, String(count), kind]);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
}

/** Waits while the backlog is full. */
async function connect(path: string): Promise<StreamClient> {
  for (;;) {
    const socket = UnixSocket.connect(path, 'stream');
    if (socket !== undefined) return new StreamClient(path, socket);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function run(path: string, count: number, kind: CrowdKind): Promise<void> {
  using memfd = Memfd.create('crowd', LARGE_BYTES);
  memfd.seal(BLOB_SEALS);
  const fields = { name: 'crowd', size: BigInt(LARGE_BYTES), text: digestOf('') };
  const request = requestOf(MEMFDBUS_COMMAND.put, fields);
  const bytes = { nothing: 0, header: 24, body: 60, put: request.length }[kind];
  const clients = new Set<StreamClient>();
  for (let index = 0; index < count; index++) {
    const client = await connect(path);
    clients.add(client);
    void client.ended.then(() => {
      clients.delete(client);
      client.close();
    });
    if (bytes > 0) client.send(request.subarray(0, bytes), kind === 'put' ? [memfd.fd] : undefined);
  }
  process.on('disconnect', () => process.exit());
  process.send?.('connected');
}

const [, script, path = '', count = '', kind = ''] = process.argv;
if (script === fileURLToPath(import.meta.url)) await run(path, Number(count), kind as CrowdKind);
