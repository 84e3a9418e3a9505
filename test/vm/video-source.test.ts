// A camera streams into a pool: pictures come in the pool's own buffers, without a copy, and whatever ends it, nothing is left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DmaBuf,
  type FrameBuffer,
  type FramePool,
  fourcc,
  type Mapping,
  requireFrameFits,
  type SentFrame,
  V4l2Source,
} from 'sealane';
import { duplicate, VideoDevice } from 'sealane/internal';
import { CAMERA } from './camera.test.helper.js';
import { openDescriptors } from './devices.test.helper.js';
import { graphics, inMachine } from './graphics.test.helper.js';

const wanted = { width: 640, height: 360, formats: [fourcc('MJPG'), fourcc('XR24')], buffers: 4 };
const ROW = 640 * 4;

/** A pool in this process: what was sent is gone until it is given back. */
class TestPool implements FramePool {
  readonly free: number[];
  readonly out = new Set<number>();
  readonly #waiting = new Set<() => void>();

  constructor({ descriptors }: V4l2Source) {
    this.free = descriptors.map((_, index) => index);
  }

  acquire(): FrameBuffer | undefined {
    const index = this.free.shift();
    if (index === undefined) return undefined;
    this.out.add(index);
    return {
      index,
      sendAsync: async () => this.send(index),
      release: () => {
        if (this.out.delete(index)) this.giveBack(index);
      },
    };
  }

  async acquireAsync({ signal }: { readonly signal: AbortSignal }): Promise<FrameBuffer> {
    for (;;) {
      signal.throwIfAborted();
      const buffer = this.acquire();
      if (buffer !== undefined) return buffer;
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  giveBack(index: number): void {
    this.free.push(index);
    for (const wake of this.#waiting) wake();
  }

  send(index: number): number {
    this.out.delete(index);
    return 1;
  }
}

/** All buffers of a source, mapped, for as long as `work` takes. */
async function withMapped(source: V4l2Source, work: (mappings: readonly Mapping[]) => Promise<void>) {
  const buffers = source.descriptors.map((fd) => DmaBuf.take(duplicate(fd)));
  const mappings = buffers.map((buffer) => buffer.map('read'));
  try {
    await work(mappings);
  } finally {
    for (const one of [...mappings, ...buffers]) one.close();
  }
}

function requirePicture(bytes: Uint8Array): void {
  assert.ok(new Set(bytes.subarray(0, ROW)).size > 1, 'the test pattern has bars of colour');
}

/** What ends a stream, as the error's code. */
async function endOf(
  stream: AsyncIterable<SentFrame>,
  onFrame: (frame: SentFrame) => void,
): Promise<unknown> {
  try {
    for await (const frame of stream) onFrame(frame);
    return 'no error';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test(
  'a camera’s pictures come in the buffers of the pool, with what is said of each',
  inMachine,
  async () => {
    const before = openDescriptors();
    {
      using source = V4l2Source.open(CAMERA, wanted);
      assert.deepEqual(
        [source.format.width, source.format.height, source.fourcc],
        [640, 360, fourcc('XR24')],
      );
      const pool = new TestPool(source);
      await withMapped(source, async (mappings) => {
        let last = -1;
        let count = 0;
        for await (const { index, metadata, receivers } of source.stream(pool)) {
          assert.deepEqual([receivers, metadata.clock, metadata.damaged], [1, 'monotonic', false]);
          assert.ok(metadata.sequence > last);
          last = metadata.sequence;
          requireFrameFits(metadata, [mappings[index]?.length ?? 0]);
          requirePicture(mappings[index]?.bytes ?? new Uint8Array(0));
          pool.giveBack(index);
          if (++count === 12) break;
        }
      });
      assert.deepEqual([pool.free.length, pool.out.size], [source.descriptors.length, 0]);
    }
    assert.equal(openDescriptors(), before);
  },
);

test(
  'a stream waits while receivers have all buffers, and goes on with the first that comes back',
  inMachine,
  async () => {
    using source = V4l2Source.open(CAMERA, wanted);
    const pool = new TestPool(source);
    const held: number[] = [];
    let back: number | undefined;
    for await (const { index } of source.stream(pool)) {
      if (back !== undefined) {
        assert.equal(index, back, 'there is no other');
        break;
      }
      held.push(index);
      if (held.length < source.descriptors.length) continue;
      back = held[1] as number;
      const returned = back;
      setTimeout(() => pool.giveBack(returned), 50);
    }
    assert.equal(held.length, source.descriptors.length);
  },
);

test('a graphics driver takes a picture as its metadata says', inMachine, async () => {
  using source = V4l2Source.open(CAMERA, { ...wanted, access: 'read-write' });
  let frame: SentFrame | undefined;
  for await (const sent of source.stream(new TestPool(source))) {
    frame = sent;
    break;
  }
  assert.ok(frame !== undefined);
  const { width, height, fourcc: code, planes } = frame.metadata;
  const [plane] = planes;
  assert.ok(plane !== undefined);
  const words = ['import', 'cirrus', width, height, code, plane.stride, plane.offset];
  const { said, descriptor } = graphics(words, source.descriptors[frame.index]);
  assert.ok(descriptor !== undefined, JSON.stringify(said));
  using buffer = DmaBuf.take(descriptor);
  using mapping = buffer.map('read');
  requirePicture(mapping.bytes);
});

test(
  'whatever ends a stream, its buffers go back to the pool and nothing stays open',
  inMachine,
  async () => {
    const before = openDescriptors();
    {
      using source = V4l2Source.open(CAMERA, wanted);
      const all = source.descriptors.length;
      const pool = new TestPool(source);
      const failing = new TestPool(source);
      failing.send = () => {
        throw new TypeError('the pool fails');
      };
      const whole = (one: TestPool) => assert.deepEqual([one.free.length, one.out.size], [all, 0]);
      const back = ({ index }: SentFrame) => pool.giveBack(index);

      const controller = new AbortController();
      const { signal } = controller;
      const aborting = endOf(source.stream(pool, { signal }), (frame) => {
        back(frame);
        controller.abort();
      });
      assert.equal(await endOf(source.stream(pool), back), 'ERR_SEALANE_BUSY');
      assert.equal(await aborting, 'ERR_SEALANE_ABORTED');
      whole(pool);
      assert.equal(await endOf(source.stream(pool, { signal }), back), 'ERR_SEALANE_ABORTED');
      whole(pool);
      await assert.rejects(source.stream(failing).next(), TypeError);
      whole(failing);
      const foreign = new TestPool(source);
      foreign.acquire = () => ({ ...pool.acquire(), index: all }) as FrameBuffer;
      assert.equal(await endOf(source.stream(foreign), back), 'ERR_SEALANE_INVALID_ARGUMENT');
      whole(pool);

      const closing = endOf(source.stream(pool), back);
      setTimeout(() => source.close(), 20);
      assert.equal(await closing, 'ERR_SEALANE_CLOSED');
      whole(pool);
      assert.equal(await endOf(source.stream(pool), back), 'ERR_SEALANE_CLOSED');
    }
    assert.equal(openDescriptors(), before);
  },
);

test('a stream that stands still when its source is closed has nothing left either', inMachine, async () => {
  const before = openDescriptors();
  const source = V4l2Source.open(CAMERA, wanted);
  const pool = new TestPool(source);
  const stream = source.stream(pool);
  const { value } = await stream.next();
  source.close();
  assert.equal(pool.out.size, 0);
  assert.equal(pool.free.length, source.descriptors.length - 1);
  assert.equal(openDescriptors(), before);
  await assert.rejects(stream.next(), { code: 'ERR_SEALANE_CLOSED' });
  assert.ok(value !== undefined && !pool.free.includes(value.index));
});

test('a camera that offers nothing of what is asked for is left as it was', inMachine, () => {
  const before = openDescriptors();
  const formats = [fourcc('MJPG'), fourcc('XB4H')];
  assert.throws(() => V4l2Source.open(CAMERA, { formats }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /XR24.*MJPG, XB4H/,
  });
  {
    using busy = VideoDevice.open(CAMERA);
    busy.requestBuffers(2);
    assert.throws(() => V4l2Source.open(CAMERA, wanted), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'EBUSY' });
  }
  assert.equal(openDescriptors(), before);
});
