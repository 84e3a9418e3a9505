/** Every limit: what is over it is refused with a text that names the option, and what was there goes on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { BLOB_SEALS } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import type { BrokerOptions } from './options.js';
import {
  type Call,
  drop,
  get,
  putCall,
  type RawClient,
  sealed,
  startBroker,
  watch,
} from './raw-client.test.helper.js';

const MIB = 1_048_576;

/** Two puts of 8 bytes, of which the second is over the limit, and fits once the first is dropped. */
for (const [option, value] of [
  ['maxObjects', 1],
  ['maxObjectsPerUser', 1],
  ['maxBytes', 15],
  ['maxBytesPerUser', 15],
  ['maxRecordBytes', 2_000],
  ['maxRecordBytesPerUser', 2_000],
] as const) {
  test(`${option} bounds what is there, and a drop makes room`, async (t) => {
    const { broker, open } = await startBroker(t, {
      [option]: value,
      ...(option === 'maxBytes' ? {} : { maxBytes: 16 }),
    });
    const client = await open();
    const fd = sealed(t, '12345678').fd;
    await client.ask(putCall('a', 8), [fd]);
    assert.match(
      await client.refused('limitExceeded', putCall('b', 8), [fd]),
      new RegExp(`greater ${option}$`),
    );
    assert.deepEqual([broker.status().objects, broker.status().bytes], [1, 8]);
    await client.ask(drop('a'));
    await client.ask(putCall('b', 8), [fd]);
  });
}

for (const [option, value, over, within] of [
  ['maxObjectBytes', 4, putCall('a', 5), putCall('a', 4)],
  ['maxNameBytes', 4, putCall('\u00e9\u00e9x', 4), putCall('\u00e9\u00e9', 4)],
  [
    'maxAllowedJobs',
    1,
    putCall('a', 4, { owner: 'o', allowed: ['1', '2'] }),
    putCall('a', 4, { owner: 'o', allowed: ['1'] }),
  ],
  ['maxMessageBytes', 4_096, putCall('x'.repeat(3_900), 4), putCall('x'.repeat(3_000), 4)],
] as const) {
  test(`${option} bounds one put`, async (t) => {
    const { open } = await startBroker(t, { [option]: value });
    const client = await open();
    const text = await client.refused('limitExceeded', over, [putFd(t, over)]);
    assert.match(text, new RegExp(`${value};.*greater ${option}$`));
    await client.ask(within, [putFd(t, within)]);
  });
}

test('a message over maxMessageBytes is refused and ends its connection', async (t) => {
  const { open } = await startBroker(t, { maxMessageBytes: 4_096 });
  const client = await open();
  await client.refused('badRequest', get('x'.repeat(5_000)));
  await client.ended;
});

test('what is being hashed counts already, and no longer once its client is gone', async (t) => {
  const { broker, open } = await startBroker(t, { maxBytes: 2_048 * MIB });
  const [slow, other] = [await open(), await open()];
  const giant = sparse(t, 2_048 * MIB);
  const hashing = slow
    .call(putCall('giant', giant.size, { contentAddressed: true }), [giant.fd])
    .catch(() => undefined);
  await slow.call({ type: 'status' });
  assert.match(await other.refused('limitExceeded', putCall('a', 1), [sealed(t, 'x').fd]), /maxBytes/);
  slow.close();
  await hashing;
  while (broker.status().bytes > 0) await new Promise((resolve) => setImmediate(resolve));
  await other.put('a');
});

test('a sparse giant over the limit is refused at once, whatever it claims to be', async (t) => {
  const { open } = await startBroker(t, { maxBytes: 1_024 * MIB });
  const client = await open();
  const giant = sparse(t, 1_024 * 1_024 * MIB);
  await client.refused('limitExceeded', putCall('a', giant.size, { contentAddressed: true }), [giant.fd]);
  await client.refused('sizeMismatch', putCall('a', 8), [giant.fd]);
});

test('memory beyond the end of an object counts too, and is given back with it', async (t) => {
  const { open, broker } = await startBroker(t, { maxBytes: 16 * MIB });
  using memfd = Memfd.create('fat', 100);
  const args = ['--keep-size', '--length', String(12 * MIB), '/proc/self/fd/3'];
  const { status } = spawnSync('fallocate', args, { stdio: ['ignore', 'ignore', 'ignore', memfd.fd] });
  if (status !== 0) return t.skip('there is no fallocate(1)');
  memfd.seal(BLOB_SEALS);
  const client = await open();
  const object = await client.ask(putCall('fat', 100), [memfd.fd]);
  assert.equal(object.size, 100);
  assert(broker.status().bytes > 11 * MIB, `${broker.status().bytes} bytes are charged`);
  await client.refused('limitExceeded', putCall('another', 100), [memfd.fd]);
  await client.ask(drop('fat'));
  assert.equal(broker.status().bytes, 0);
});

test('while a giant is hashed, others are served and their small objects are hashed', async (t) => {
  const { open } = await startBroker(t);
  const [slow, other] = [await open(), await open()];
  const giant = sparse(t, 4_096 * MIB);
  let hashed = false;
  const hashing = slow.call(putCall('giant', giant.size, { contentAddressed: true }), [giant.fd]).then(
    () => {
      hashed = true;
    },
    () => undefined,
  );
  for (let count = 0; count < 5; count++)
    await other.put(undefined, { contentAddressed: true }, new Uint8Array(count));
  assert.equal(hashed, false);
  slow.close();
  await hashing;
});

test('more connections than allowed are told so and closed, and a free place is used again', async (t) => {
  const { connect, open } = await startBroker(t, { maxConnections: 2 });
  const first = await open();
  await open();
  const third = connect();
  const { response } = await third.hello();
  assert(response.type === 'error');
  assert.match(response.text, /greater maxConnections$/);
  await third.ended;
  first.close();
  await served(connect);
});

test('more connections of one user than allowed are told so and closed', async (t) => {
  const { connect, open } = await startBroker(t, { maxConnections: 10, maxConnectionsPerUser: 1 });
  await open();
  const { response } = await connect().hello();
  assert(response.type === 'error');
  assert.match(response.text, /greater maxConnectionsPerUser$/);
});

test('a flood of connections over the limit does not keep the one that is there from being served', async (t) => {
  const { connect, open } = await startBroker(t, { maxConnections: 1, backlog: 1_000 });
  const client = await open();
  const flood = Array.from({ length: 200 }, () => connect());
  await client.put('a');
  for (const each of flood) each.close();
  await client.ask(get('a'));
});

test('the memory of those who wait is charged too', async (t) => {
  const { open } = await startBroker(t, { maxRecordBytes: 10_000 });
  const client = await open();
  const long = 'x'.repeat(6_000);
  assert.match(await client.refused('limitExceeded', get(long, true)), /maxRecordBytes/);
  assert.match(await client.refused('limitExceeded', watch(long, { literal: true })), /maxRecordBytes/);
  await client.call(watch('a'));
});

for (const options of [{ maxOutstanding: 1 }, { maxOutstanding: 64 }] satisfies BrokerOptions[]) {
  test(`a client that sends many requests at once gets all answers (maxOutstanding ${options.maxOutstanding})`, async (t) => {
    const { open } = await startBroker(t, options);
    const client = await open();
    await client.put('a');
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => client.ask(get('a'))));
    assert.equal(answers.length, 1_000);
  });
}

/** Connects until a connection is admitted: the broker learns of a closed one a little later. */
async function served(connect: () => RawClient): Promise<void> {
  for (;;) {
    const client = connect();
    if ((await client.hello()).response.type === 'hello') return;
  }
}

function putFd(t: TestContext, call: Call): number {
  return sealed(t, 'x'.repeat(call.type === 'put' ? call.size : 0)).fd;
}

/** A sealed memfd that takes no memory. */
function sparse(t: TestContext, size: number): Memfd {
  const memfd = Memfd.create('giant', size);
  t.after(() => memfd.close());
  memfd.seal(15);
  return memfd;
}
