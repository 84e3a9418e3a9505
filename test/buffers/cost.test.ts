// What a frame of a pool costs: no system call while both sides are awake, and nothing for the garbage collector.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { completeFrameMetadata, type FrameMetadata, fourcc, frameMetadata, pictureLayout } from 'sealane';
import { Stage } from '../services/nodes.test.helper.js';
import { countMetadata, loop, planesOf, service } from './loop.test.helper.js';

const ROUNDS = 100_000;
/** Half of what the smallest object of V8 takes, a round: one that allocates is far beyond. */
const MOST_BYTES = 8 * ROUNDS;

/** What V8 takes to read a BigInt out of memory. */
const BIGINT_BYTES = 40;

/** A pool of four buffers in a service, and a subscriber. */
async function stage(t: TestContext) {
  const planes = planesOf(4);
  t.after(() => planes.forEach(closeSync));
  return await service(await new Stage(t).node(), planes);
}

/** Bytes of the heap that a second run of the same work takes. */
function grown(work: () => void): number {
  work();
  const before = process.memoryUsage().heapUsed;
  work();
  return process.memoryUsage().heapUsed - before;
}

test('a frame of a pool allocates nothing', async (t) => {
  const { pool, subscriber } = await stage(t);
  const bytes = grown(() => loop(pool, subscriber, ROUNDS));
  assert(bytes < MOST_BYTES, `${bytes} bytes in ${ROUNDS} frames`);
});

test('a frame that takes the buffer of one that a slow subscriber left waiting allocates nothing either', async (t) => {
  const { pool, subscriber, made } = await stage(t);
  const slow = await made.bufferSubscriber({ metadata: countMetadata });
  await slow.connected();
  const bytes = grown(() => loop(pool, subscriber, ROUNDS));
  assert(bytes < MOST_BYTES, `${bytes} bytes in ${ROUNDS} frames`);
  assert.ok((pool.figures.subscribers.find(({ lost }) => lost > 0)?.lost ?? 0) > ROUNDS);
});

test('metadata of frames allocates nothing where it is written, and one BigInt where it is read', async (t) => {
  const planes = planesOf(4);
  t.after(() => planes.forEach(closeSync));
  const made = await new Stage(t).service();
  const pool = await made.bufferPool<FrameMetadata>(planes, { metadata: frameMetadata });
  const subscriber = await made.bufferSubscriber<FrameMetadata>({ metadata: frameMetadata });
  await subscriber.connected();
  const [width, height, code] = [64, 48, fourcc('NV12')];
  const layout = pictureLayout(code, width, height).planes.map((plane) => ({ descriptor: 0, ...plane }));
  const whole = completeFrameMetadata({ width, height, fourcc: code, planes: layout });
  const picture: FrameMetadata & { sequence: number } = { ...whole, timestampNs: 123_456_789n };
  const send = () => {
    for (let index = 0; index < ROUNDS; index++) {
      picture.sequence = index;
      pool.acquire()?.send(picture);
      subscriber.receiveHot()?.release();
    }
  };
  const written = grown(send);
  assert(written < MOST_BYTES, `${written} bytes in ${ROUNDS} frames`);
  const read = grown(() => {
    for (let index = 0; index < ROUNDS; index++) {
      picture.sequence = index;
      pool.acquire()?.send(picture);
      const frame = subscriber.receiveHot();
      if (frame?.meta.sequence !== index) throw new Error(`picture ${index} is another`);
      frame.release();
    }
  });
  assert(read < MOST_BYTES + BIGINT_BYTES * ROUNDS, `${read} bytes in ${ROUNDS} frames`);
});

/** What the engine itself asks for now and then: memory, and to wait for its own threads. */
const ENGINE = ['futex', 'madvise', 'mmap', 'mprotect', 'munmap', 'brk', 'sched_yield'];

/** The system calls of the main thread between the two by which the process says where to look. */
function callsOf(frames: number): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  try {
    const log = join(directory, 'log');
    const script = fileURLToPath(new URL('cost.test.helper.js', import.meta.url));
    const words = ['-o', log, process.execPath, script, directory, String(frames)];
    const { status, stderr } = spawnSync('strace', words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const lines = readFileSync(log, 'utf8').split('\n');
    const [begin, end] = ['begin', 'end'].map((mark) =>
      lines.findIndex((line) => line.includes(`/sealane-${mark}`)),
    );
    assert.ok(begin !== undefined && end !== undefined && begin >= 0 && end > begin);
    return lines.slice(begin + 1, end).map((line) => line.replace(/\(.*/, ''));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Why no process can be watched here; undefined: it can. */
function unwatchable(): string | undefined {
  const { status, error } = spawnSync('strace', ['-o', '/dev/null', 'true']);
  if (error !== undefined) return 'there is no strace here';
  return status === 0 ? undefined : 'strace may not watch processes here';
}

test('a frame of a pool makes no system call while both sides are awake: control is looked at now and then', (t) => {
  const reason = unwatchable();
  if (reason !== undefined) return t.skip(reason);
  const calls = callsOf(ROUNDS).filter((call) => !ENGINE.includes(call));
  if (calls.includes('clock_gettime')) return t.skip('the clock of this machine is a system call');
  assert.deepEqual(
    [...new Set(calls)].filter((call) => !call.startsWith('epoll_')),
    [],
  );
  // However slow the machine is, at most each sixteenth receive and each sixty-fourth send look.
  assert.ok(calls.length < ROUNDS / 10, `${calls.length} looks in ${ROUNDS} frames`);
});
