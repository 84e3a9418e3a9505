// Users without descriptors, under way or at all: what can't be handed over is refused or lost with its token, the rest goes on, and nothing is left.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Peer, Stage, until } from '../services/nodes.test.helper.js';
import { type Mark, marksOpen, plane, sendMarked } from './marks.test.helper.js';

const script = '../buffers/crowd-peer.test.helper.js';
const few = ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'];

/** A process with few descriptors, of a user that nothing else runs as: the kernel counts by user, and root is exempt. */
function poorUser(t: TestContext, role: string, options: Record<string, unknown> = {}): Peer {
  const id = 20_000 + (process.pid % 40_000);
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o777);
  const user =
    process.geteuid?.() === 0 ? ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'] : [];
  const peer = new Peer(
    { directory: join(directory, 'own'), service: 'x', ...options, role, script },
    { wrapper: [...few, ...user] },
  );
  t.after(() => peer.kill());
  return peer;
}

for (const { whenFull, settings, during } of [
  { whenFull: 'drop', settings: { overflow: false }, during: 1 },
  { whenFull: 'fail', settings: { overflow: false }, during: 'ERR_SEALANE_SUBSCRIBER_FULL' },
  { whenFull: 'wait', settings: { overflow: false }, during: 'ERR_SEALANE_SUBSCRIBER_FULL' },
  { whenFull: 'wait', settings: { overflow: true }, during: 1 },
])
  test(`where descriptors run out in the middle of a frame, who got it keeps it, and the others are told (${whenFull}, ${JSON.stringify(settings)})`, async (t) => {
    const peer = poorUser(t, 'midway', { whenFull, settings });
    const told = JSON.parse(await peer.line());
    assert.deepEqual([told.before, told.during, told.sent], [2, during, 2]);
    const [one, other] = told.tallies;
    assert.deepEqual(one.got.slice(0, 2), [1, 2]);
    assert.equal(other.lost[0], 2);
    for (const { got, lost } of [one, other]) {
      const all = [...got, ...lost].sort((a: number, b: number) => a - b);
      assert.deepEqual(
        all,
        Array.from({ length: told.tokens }, (_, index) => index + 1),
      );
      assert.equal(got.at(-1), told.tokens);
    }
  });

test('where no descriptor may be under way, a frame waits on the event loop until one may', async (t) => {
  const peer = poorUser(t, 'waiting', { settings: { overflow: false } });
  assert.deepEqual(JSON.parse(await peer.line()), {
    during: [0, 'ERR_SEALANE_BUSY'],
    sent: 1,
    token: 1,
    descriptors: 1,
  });
});

test('a publisher without descriptors for its history sends nothing, says so, and goes on once it has some', async (t) => {
  const settings = { history: 1 };
  const peer = new Stage(t).peer('poorPublisher', { script, settings }, { wrapper: few });
  assert.deepEqual(JSON.parse(await peer.line()), {
    during: 'ERR_SEALANE_EXHAUSTED',
    pool: 'ERR_SEALANE_EXHAUSTED',
    sent: 0,
    loaned: 0,
    after: 1,
    token: 1,
  });
});

test('a subscriber without descriptors loses those frames with their tokens, and stays connected', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const publisher = await service.bufferPublisher<Mark>();
  const peer = stage.peer('poorSubscriber', { script, rounds: 2 }, { wrapper: few });
  assert.equal(await peer.line(), '"connected"');
  const send = (frame: number, planes: number) => sendMarked(publisher, { sender: 1, frame, planes });
  const next = async () => JSON.parse(await peer.line());
  send(1, 4);
  assert.deepEqual(await next(), { code: 'ERR_SEALANE_EXHAUSTED', token: 1 });
  send(2, 1);
  assert.deepEqual(await next(), { token: 2, descriptors: 1 });
  assert.equal(await next(), 'rich');
  send(3, 4);
  assert.deepEqual(await next(), { token: 3, descriptors: 4 });
  assert.equal(publisher.figures.subscribers.length, 1);
  assert.equal(marksOpen(), 0);
});

test('a subscriber without descriptors for the buffers of a pool is connected anew, and gets its frames then', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const memfds = [0, 1, 2, 3].map((index) => plane(1, 0, index));
  const pool = await service.bufferPool<Mark>([memfds.map(({ fd }) => fd)]);
  const peer = stage.peer('poorSubscriber', { script, rounds: 1 }, { wrapper: few });
  assert.equal(await peer.line(), '"connected"');
  const send = () => pool.acquire()?.send({ sender: 1, frame: 1, planes: 4 });
  const next = async () => JSON.parse(await peer.line());
  assert.equal(send(), 1);
  assert.deepEqual(await next(), { code: 'ERR_SEALANE_EXHAUSTED' });
  assert.equal(await next(), 'rich');
  let arrived: { token: number; descriptors: number } | undefined;
  void next().then((frame) => {
    arrived = frame;
  });
  // The one that goes to a connection which the other side has just given up arrives nowhere.
  await until(() => {
    if (arrived === undefined) send();
    return arrived !== undefined;
  });
  assert.ok((arrived?.token ?? 0) > 1);
  assert.equal(arrived?.descriptors, 4);
  pool.close();
  for (const memfd of memfds) memfd.close();
  await until(() => marksOpen() === 0);
});
