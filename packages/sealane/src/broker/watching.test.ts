/** Waiting and watching over real sockets: what waiters.test.ts does not cover. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ObjectInfo, STATUS } from '../wire/index.js';
import { forkBroker } from './child.test.helper.js';
import {
  type Call,
  countDescriptors,
  directory,
  drop,
  get,
  putCall,
  RawClient,
  readText,
  sealed,
  startBroker,
  until,
  watch,
} from './raw-client.test.helper.js';

const next = (id: number): Call => ({ type: 'next', watch: id });
const cancel = (target: number): Call => ({ type: 'cancel', target });

/** Begins a watch; the result is its number. */
async function begin(client: RawClient, call: Call): Promise<number> {
  const { response } = await client.call(call);
  assert.equal(response.type, 'watch');
  return response.requestId;
}

test('a waiting get is answered with the object once it is put', async (t) => {
  const { open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  const waiting = consumer.call(get('later', true));
  await producer.put('other');
  await producer.put('later', {}, new TextEncoder().encode('here'));
  assert.equal(readText((await waiting).descriptors[0] ?? -1), 'here');
  await consumer.ask(get('later', true));
});

test('a waiting get that is canceled is answered as canceled, and so is the cancel', async (t) => {
  const { broker, open } = await startBroker(t);
  const client = await open();
  const waiting = client.refused('canceled', get('never', true));
  const canceled = client.call(cancel(client.lastId));
  await waiting;
  assert.equal((await canceled).response.type, 'cancel');
  assert.equal((await client.call(cancel(99_999))).response.type, 'cancel', 'nothing to cancel is no error');
  assert.equal(broker.status().objects, 0);
});

test('a watch yields the newest version and skips those in between', async (t) => {
  const { open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  const id = await begin(consumer, watch('a/*'));
  const first = consumer.ask(next(id));
  const one = await producer.put('a/x');
  assert.equal((await first).id, one.id);
  await producer.put('a/x');
  await producer.put('b/x');
  const last = await producer.put('a/x');
  assert.equal((await consumer.ask(next(id))).id, last.id);
});

test('a watch of every version yields each, with its content, although it was dropped', async (t) => {
  const { open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  const id = await begin(consumer, watch('a', { every: true }));
  for (const version of ['1', '2', '3']) {
    await producer.put('a', {}, new TextEncoder().encode(version));
    await producer.ask(drop('a'));
  }
  const seen: string[] = [];
  for (let count = 0; count < 3; count++)
    seen.push(readText((await consumer.call(next(id))).descriptors[0] ?? -1));
  assert.deepEqual(seen, ['1', '2', '3']);
});

test('a literal watch takes stars and backslashes as they are', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const id = await begin(client, watch('a*', { literal: true }));
  await client.put('ab');
  const starred = await client.put('a*');
  assert.equal((await client.ask(next(id))).id, starred.id);
});

test('a canceled watch answers its pending next as canceled, and is unknown after that', async (t) => {
  const { broker, open } = await startBroker(t);
  const client = await open();
  const id = await begin(client, watch('a'));
  assert.equal(broker.status().watches, 1);
  const pending = client.refused('canceled', next(id));
  await client.call(cancel(id));
  await pending;
  assert.equal(broker.status().watches, 0);
  await client.refused('notFound', next(id));
});

test('a second next of one watch is refused while the first is unanswered', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const id = await begin(client, watch('a'));
  const first = client.ask(next(id));
  await client.refused('badRequest', next(id));
  const put = await client.put('a');
  assert.equal((await first).id, put.id);
});

test('a consumer of every version that falls behind is told of it, and the broker keeps nothing for it', async (t) => {
  const { broker, open } = await startBroker(t, { maxWatchBacklog: 5 });
  const [producer, consumer] = [await open(), await open()];
  const id = await begin(consumer, watch('*', { every: true }));
  for (let count = 0; count < 6; count++) {
    await producer.put('a');
    await producer.ask(drop('a'));
  }
  assert.equal(broker.status().bytes, 0);
  await consumer.refused('overrun', next(id));
  await consumer.refused('notFound', next(id));
});

test('more watches than allowed are refused, and cancelling makes room', async (t) => {
  const { open } = await startBroker(t, { maxWatches: 2 });
  const client = await open();
  const ids = [await begin(client, watch('a')), await begin(client, watch('b*'))];
  assert.match(await client.refused('limitExceeded', watch('c')), /maxWatches/);
  await client.call(cancel(ids[0] ?? 0));
  await begin(client, watch('c'));
});

test('requests that wait for others are bounded, and can be canceled also when there is no room for more', async (t) => {
  const { open } = await startBroker(t, { maxOutstanding: 2 });
  const client = await open();
  const first = client.refused('canceled', get('a', true));
  const firstId = client.lastId;
  const second = client.ask(get('b', true));
  assert.match(await client.refused('limitExceeded', get('c', true)), /maxOutstanding/);
  await client.call(cancel(firstId));
  await first;
  const put = await client.put('b');
  assert.equal((await second).id, put.id);
});

test('everything that waits ends with its connection', async (t) => {
  const { broker, open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  const id = await begin(consumer, watch('*', { every: true }));
  await producer.put('a');
  await producer.ask(drop('a'));
  assert.equal(broker.status().bytes, 8, 'the queue of the watch holds it');
  const pending = [consumer.call(next(id)), consumer.call(next(id))].map((answer) =>
    answer.catch(() => undefined),
  );
  const parked = consumer.call(get('never', true)).catch(() => undefined);
  consumer.close();
  await Promise.all([...pending, parked]);
  await until('the connection is gone', () => broker.status().connections === 1);
  assert.deepEqual([broker.status().watches, broker.status().bytes], [0, 0]);
  await producer.put('never');
});

test('one put wakes all consumers of many connections', async (t) => {
  const { open } = await startBroker(t);
  const producer = await open();
  const consumers = await Promise.all(Array.from({ length: 32 }, () => open()));
  const answers: Promise<ObjectInfo>[] = [];
  for (const consumer of consumers) {
    const id = await begin(consumer, watch('a*'));
    answers.push(consumer.ask(next(id)), consumer.ask(get('abc', true)));
  }
  const put = await producer.put('abc');
  for (const answer of await Promise.all(answers)) assert.equal(answer.id, put.id);
});

test('a put is answered although its client does not wait for those who are told', async (t) => {
  const { open } = await startBroker(t);
  const [producer, consumer] = [await open(), await open()];
  const id = await begin(consumer, watch('*', { every: true }));
  const memfd = sealed(t, 'x');
  const puts = Array.from({ length: 200 }, (_, index) => producer.ask(putCall(`n${index}`, 1), [memfd.fd]));
  const ids = (await Promise.all(puts)).map((object) => object.id);
  const seen: number[] = [];
  while (seen.length < ids.length) seen.push((await consumer.ask(next(id))).id);
  assert.deepEqual(seen, ids);
});

test('a next whose object can not be sent ends its watch: no version is skipped in silence', async (t) => {
  const socket = join(directory(t), 'broker.sock');
  const { pid = 0 } = await forkBroker(t, { socket });
  const [client, other] = [await RawClient.open(socket), await RawClient.open(socket)];
  t.after(() => [client, other].map((each) => each.close()));
  await other.put('a');
  const watchId = await begin(client, watch('a', { every: true }));
  const before = countDescriptors(pid);
  client.read(false);
  const answers: Promise<unknown>[] = [];
  // What waits for a client that does not read, once the kernel takes no more for it, is a duplicate in the broker.
  while (countDescriptors(pid) === before) {
    answers.push(client.call(get('a')));
    await other.call({ type: 'status' });
  }
  limitDescriptors(pid, firstFree(pid));
  const answer = client.call(next(watchId));
  for (let count = 0; count < 10; count++) await other.call({ type: 'status' });
  client.read(true);
  const { response } = await answer;
  assert(response.type === 'error');
  assert.equal(response.status, STATUS.exhausted, response.text);
  assert.match(response.text, /descriptors/);
  await Promise.all(answers);
  limitDescriptors(pid, 1_000);
  await client.refused('notFound', next(watchId));
  await other.put('a');
});

/** The lowest number that a new descriptor of a process could have: as its limit, it allows none. */
function firstFree(pid: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (open.has(free)) free++;
  return free;
}

function limitDescriptors(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
}
