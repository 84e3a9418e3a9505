/** The digest scheduler: right, shared, fair, and ended when nobody waits. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { Memfd } from '../os/memfd.js';
import { Content } from './content.js';
import { DigestLane, DigestScheduler } from './digests.js';

const MIB = 1_048_576;

const ACCOUNT = { uid: 1, shelf: 1 };

/** A content of its own memfd; without bytes it is sparse. Ends with the test. */
function makeContent(t: TestContext, size: number, bytes?: Uint8Array): Content {
  const memfd = Memfd.create('digests-test', size);
  if (bytes !== undefined) memfd.write(bytes, 0);
  t.after(() => memfd.close());
  return new Content(ACCOUNT, memfd.fd, size, () => undefined);
}

function makeScheduler(): DigestScheduler {
  return new DigestScheduler((content, digest) => {
    assert.equal(content.digest, undefined, 'a digest was computed twice');
    content.digest = digest;
  });
}

function digestOf(
  scheduler: DigestScheduler,
  content: Content,
  lane: DigestLane,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    scheduler.request(content, lane, (error) =>
      error === undefined ? resolve(content.digest) : reject(error),
    );
  });
}

for (const size of [0, 1, 4_096, 8 * MIB, 8 * MIB + 1, 20 * MIB + 3]) {
  test(`the digest of ${size} bytes is SHA-256`, async (t) => {
    const bytes = new Uint8Array(size).map((_, index) => index * 7);
    const content = makeContent(t, size, bytes);
    const digest = await digestOf(makeScheduler(), content, new DigestLane(1));
    assert.equal(digest, createHash('sha256').update(bytes).digest('hex'));
  });
}

test('one computation serves all who ask, from whatever connection', async (t) => {
  const scheduler = makeScheduler();
  const content = makeContent(t, 10 * MIB);
  const lanes = [new DigestLane(1), new DigestLane(1), new DigestLane(2)];
  const digests = await Promise.all([...lanes, ...lanes].map((lane) => digestOf(scheduler, content, lane)));
  assert.equal(new Set(digests).size, 1);
});

test("a small content of one user is not delayed by another user's giants", async (t) => {
  const scheduler = makeScheduler();
  const order: string[] = [];
  const giants = [1, 2, 3, 4].map(async () => {
    await digestOf(scheduler, makeContent(t, 64 * MIB), new DigestLane(1));
    order.push('giant');
  });
  const small = digestOf(scheduler, makeContent(t, 1), new DigestLane(2)).then(() => order.push('small'));
  await Promise.all([...giants, small]);
  assert.equal(order[0], 'small');
});

test("a small content of one connection is not delayed by another connection's giants", async (t) => {
  const scheduler = makeScheduler();
  const order: string[] = [];
  const busy = new DigestLane(1);
  const giants = [1, 2, 3, 4].map(async () => {
    await digestOf(scheduler, makeContent(t, 64 * MIB), busy);
    order.push('giant');
  });
  const small = digestOf(scheduler, makeContent(t, 1), new DigestLane(1)).then(() => order.push('small'));
  await Promise.all([...giants, small]);
  assert.equal(order[0], 'small');
});

test('a computation ends when nobody waits for it', async (t) => {
  const scheduler = makeScheduler();
  const content = makeContent(t, 1_024 * MIB);
  const waits = [1, 2].map(() =>
    scheduler.request(content, new DigestLane(1), () => assert.fail('told after cancel')),
  );
  for (const wait of waits) wait.cancel();
  await scheduler.idle();
  assert.equal(content.digest, undefined);
});

test('one who still waits gets the digest although others gave up', async (t) => {
  const scheduler = makeScheduler();
  const content = makeContent(t, 20 * MIB);
  const first = scheduler.request(content, new DigestLane(1), () => assert.fail('told after cancel'));
  const second = digestOf(scheduler, content, new DigestLane(2));
  first.cancel();
  assert.match((await second) ?? '', /^[0-9a-f]{64}$/);
});

test('a content that is asked for again while its cancelled step runs is computed', async (t) => {
  const scheduler = makeScheduler();
  const content = makeContent(t, 20 * MIB);
  scheduler.request(content, new DigestLane(1), () => assert.fail('told after cancel')).cancel();
  assert.match((await digestOf(scheduler, content, new DigestLane(1))) ?? '', /^[0-9a-f]{64}$/);
});

test('a content stays referenced while a step reads it', async (t) => {
  const scheduler = makeScheduler();
  let gone = false;
  const memfd = Memfd.create('digests-test', 16 * MIB);
  t.after(() => memfd.close());
  const content = new Content(ACCOUNT, memfd.fd, 16 * MIB, () => {
    gone = true;
  });
  const wait = scheduler.request(content, new DigestLane(1), () => assert.fail('told after cancel'));
  wait.cancel();
  content.release();
  assert.equal(gone, false);
  await scheduler.idle();
  assert.equal(gone, true);
});

test('a file that ends early fails those who wait', async (t) => {
  const scheduler = makeScheduler();
  const memfd = Memfd.create('digests-test', 10);
  t.after(() => memfd.close());
  const content = new Content(ACCOUNT, memfd.fd, 20, () => undefined);
  await assert.rejects(digestOf(scheduler, content, new DigestLane(1)), { code: 'ERR_SEALANE_INTERNAL' });
});
