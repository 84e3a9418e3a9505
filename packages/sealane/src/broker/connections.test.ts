/** Connections: who is admitted, who stalls, floods and vanishes, and what happens when descriptors run out. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Memfd } from '../os/memfd.js';
import { UnixSocket } from '../os/unix-socket.js';
import { encodeRequest, STATUS } from '../wire/index.js';
import { forkBroker, forkClient, setDescriptorLimit } from './child.test.helper.js';
import {
  type Call,
  countDescriptors,
  directory,
  get,
  getId,
  putCall,
  RawClient,
  sealed,
  startBroker,
  until,
  watch,
} from './raw-client.test.helper.js';

/** Users that need not exist. */
const USER = 4_242;
const STRANGER = 4_243;

const hello: Call = {
  type: 'hello',
  minVersion: 1,
  maxVersion: 1,
  maxPacketBytes: 65_536,
  maxMessageBytes: 65_536,
};

test('a peer that says nothing is closed after a while, and others are served meanwhile', async (t) => {
  const { broker, connect, open } = await startBroker(t, { helloTimeoutMs: 30 });
  const silent = connect();
  const client = await open();
  await client.put('a');
  await silent.ended;
  assert.equal(broker.status().connections, 1);
  await client.ask(get('a'));
});

test('128 connections are served at once', async (t) => {
  const { broker, open } = await startBroker(t);
  const clients = await Promise.all(Array.from({ length: 128 }, () => open()));
  assert.equal(broker.status().connections, 128);
  await Promise.all(clients.map((client, index) => client.put(`name-${index}`)));
  const found = await Promise.all(
    clients.map((client, index) => client.ask(get(`name-${(index + 1) % 128}`))),
  );
  assert.equal(new Set(found.map(({ id }) => id)).size, 128);
});

test('a client that sends and never reads is read no further, and others are served', async (t) => {
  const { broker, open } = await startBroker(t);
  const [flood, client] = [await open(), await open()];
  await client.put('a');
  const before = countDescriptors();
  flood.read(false);
  const answers = Array.from({ length: 2_000 }, () => flood.call(get('a')));
  for (let count = 0; count < 50; count++) await client.ask(get('a'));
  const { maxOutstanding } = broker.status().limits;
  // What waits is in the link's queue; each is a duplicate of the descriptor. 50 are the other client's own.
  assert(countDescriptors() - before - 50 <= maxOutstanding, `${countDescriptors() - before - 50} wait`);
  flood.read(true);
  for (const { response } of await Promise.all(answers)) assert.equal(response.type, 'get');
});

/** Most bytes of answers that wait for one client who does not read, before the last of them (backlog.ts). */
const MAX_WAITING_BYTES = 262_144;

for (const [what, limit] of [
  ['short answers, which are packets', 1],
  ['long answers, which are detached', 10],
] as const) {
  test(`a client that does not read ${what}, costs the broker a bounded amount of memory`, async (t) => {
    const { open } = await startBroker(t);
    const [flood, client] = [await open(), await open()];
    const name = 'x'.repeat(60_000);
    for (let count = 0; count < 10; count++) await client.put(name);
    const answerBytes = limit * 61_000;
    const before = memoryInUse();
    flood.read(false);
    const list: Call = { type: 'list', after: 0, limit, digests: false };
    const answers = Array.from({ length: 500 }, () => flood.call(list).catch(() => undefined));
    // Each of these takes the broker a turn of the event loop, in which it would answer 16 of the others.
    for (let count = 0; count < 100; count++) await client.ask(get(name));
    const grown = memoryInUse() - before;
    const bound = MAX_WAITING_BYTES + answerBytes + 500_000;
    assert(grown < bound, `${grown} bytes more, at most ${bound} were expected`);
    flood.close();
    await Promise.all(answers);
  });
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes behind living ArrayBuffers, and in the bodies of detached messages that this process holds. */
function memoryInUse(): number {
  // Buffers that one collection found dead are freed by the next at the latest.
  for (let count = 0; count < 2; count++) collectGarbage();
  return process.memoryUsage().arrayBuffers + waitingBodies();
}

function waitingBodies(): number {
  return readdirSync('/proc/self/fd')
    .map((fd) => `/proc/self/fd/${fd}`)
    .filter((path) => (linkOf(path) ?? '').startsWith('/memfd:sealane-message'))
    .reduce((sum, path) => sum + statSync(path).size, 0);
}

/** Undefined: it was the descriptor with which the folder was read. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

test('clients that vanish at any step leave nothing behind', async (t) => {
  const { broker, open, connect } = await startBroker(t);
  const keeper = await open();
  await keeper.put('a');
  const { fd } = sealed(t, 'x');
  const before = countDescriptors();
  const steps: ((client: RawClient) => void)[] = [
    () => undefined,
    (client) => void client.call(hello).catch(() => undefined),
    ...[
      get('a'),
      get('never', true),
      putCall('b', 1, { contentAddressed: true, ttlMs: 1 }),
      watch('*', { every: true }),
    ].map((call: Call) => (client: RawClient) => {
      void client.call(hello).catch(() => undefined);
      void client.call(call, call.type === 'put' ? [fd] : []).catch(() => undefined);
      void client.call({ type: 'next', watch: 2 }).catch(() => undefined);
    }),
  ];
  for (let round = 0; round < 20; round++) {
    for (const step of steps) {
      const client = connect();
      step(client);
      if (round % 2 === 1) await keeper.ask(get('a'));
      client.close();
    }
  }
  const received = 10 * steps.length;
  await until('everything is gone', () => {
    void keeper.call({ type: 'status' }).catch(() => undefined);
    return (
      broker.status().connections === 1 &&
      broker.status().objects === 1 &&
      countDescriptors() - received <= before
    );
  });
  assert.equal(broker.status().watches, 0);
});

test('a connection that is closed in one direction ends', async (t) => {
  const { broker } = await startBroker(t);
  const socket = UnixSocket.connect(broker.socket);
  assert(socket !== undefined);
  socket.send(encodeRequest({ ...hello, requestId: 1 } as Parameters<typeof encodeRequest>[0]));
  await until('the hello is answered', () => socket.receive(new Uint8Array(1_024)) !== 'empty');
  socket.shutdown();
  await until('the connection is gone', () => broker.status().connections === 0);
  socket.close();
});

test('other users are refused, and told what their way in is', async (t) => {
  if (notRoot(t)) return;
  const { broker, open } = await startBroker(t);
  chmodSync(broker.socket, 0o666);
  chmodSync(dirname(broker.socket), 0o755);
  const stranger = await forkClient(t, STRANGER, broker.socket);
  const response = await stranger(hello);
  assert(response.type === 'error' && response.status === STATUS.untrusted);
  assert.match(response.text, /user 4243 .* option users/);
  await (await open()).put('a');
});

test('admitted users do not see each other, by name, id, digest, list or watch', async (t) => {
  if (notRoot(t)) return;
  const { broker, open } = await startBroker(t, { users: [USER] });
  chmodSync(dirname(broker.socket), 0o755);
  const own = await open();
  const mine = await own.put('a', { contentAddressed: true }, new Uint8Array(8));
  const ownWait = own.call(get('b', true));
  const other = await forkClient(t, USER, broker.socket);
  assert.equal((await other(hello)).type, 'hello');
  for (const call of [
    get('a'),
    getId(mine.id),
    { type: 'get', selector: { by: 'digest', digest: mine.digest ?? '' }, wait: false },
  ] as Call[]) {
    const response = await other(call);
    assert(response.type === 'error' && response.status === STATUS.notFound, call.type);
  }
  const list = await other({ type: 'list', after: 0, limit: 10, digests: false });
  assert(list.type === 'list' && list.objects.length === 0);
  const put = await other(putCall('b', 8, { contentAddressed: true }));
  assert(put.type === 'put' && put.object.uid === USER);
  const status = await other({ type: 'status' });
  assert(status.type === 'status' && status.objects === 1 && status.connections === 1 && status.bytes === 8);
  assert.equal(broker.status().bytes, 16, 'contents are not shared between users');
  await own.refused('notFound', get('b'));
  await own.put('b');
  assert.equal((await ownWait).response.type, 'get');
});

test('out of descriptors, a broker refuses what it can not do, serves what it can, and recovers', async (t) => {
  const socket = join(directory(t), 'broker.sock');
  const child = await forkBroker(t, { socket, maxObjects: 100 });
  const { pid } = child;
  assert(pid !== undefined);
  const client = await RawClient.open(socket);
  t.after(() => client.close());
  await client.put('a');
  if (!setDescriptorLimit(t, pid, countDescriptors(pid) + 10)) return;
  using memfd = Memfd.sealed('test', new Uint8Array(8));
  // Each object takes a descriptor, until one can't be received any more.
  let answer = await client.call(putCall('b', 8), [memfd.fd]);
  while (answer.response.type === 'put') answer = await client.call(putCall('b', 8), [memfd.fd]);
  assert(answer.response.type === 'error' && answer.response.status === STATUS.exhausted);
  assert.match(answer.response.text, /ulimit -n/);
  const late = new RawClient(socket);
  const refused = new RawClient(socket);
  await Promise.all([late.ended, refused.ended]);
  await client.ask(get('a'));
  setDescriptorLimit(t, pid, 1_024);
  await client.ask(putCall('c', 8), [memfd.fd]);
  const again = await RawClient.open(socket);
  await again.ask(get('c'));
  for (const each of [late, refused, again]) each.close();
});

function notRoot(t: TestContext): boolean {
  if (process.getuid?.() === 0) return false;
  t.skip('only root can become another user');
  return true;
}
