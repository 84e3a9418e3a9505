// Codecs of metadata as users give them: what is none is refused when the port is made, and what has no bytes or no room when it is sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferMemory, bytesMetadata, fourcc, frameMetadata, type SealaneError } from 'sealane';
import { Stage } from '../services/nodes.test.helper.js';

const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };

test('what is no codec is refused when a port is made', async (t) => {
  const service = await new Stage(t).service();
  using memory = BufferMemory.allocate(8);
  const buffers = [memory.descriptor];
  for (const metadata of [null, 1, 'json', {}, { encode: 1, decode: 1 }] as never[]) {
    const wrong = { ...invalid, message: /options\.metadata/ };
    await assert.rejects(service.bufferPublisher({ metadata }), wrong);
    await assert.rejects(service.bufferPool(buffers, { metadata }), wrong);
    await assert.rejects(service.bufferSubscriber({ metadata }), wrong);
  }
  const { encode, decode } = bytesMetadata;
  await assert.rejects(service.bufferPublisher({ metadata: { decode } as never }), invalid);
  await assert.rejects(service.bufferSubscriber({ metadata: { encode } as never }), invalid);
  const halfway = { encode, encodeInto: 1 } as never;
  await assert.rejects(service.bufferPool(buffers, { metadata: halfway }), {
    ...invalid,
    message: /encodeInto/,
  });
  const codec = Object.assign(() => 0, { encode, decode });
  (await service.bufferPublisher({ metadata: codec })).close();
  (await service.bufferPool(buffers, { metadata: { encode } })).close();
  (await service.bufferSubscriber({ metadata: codec })).close();
});

test('metadata that JSON can not hold is refused, with what JSON said', async (t) => {
  const service = await new Stage(t).service();
  using memory = BufferMemory.allocate(8);
  const publisher = await service.bufferPublisher();
  const pool = await service.bufferPool([memory.descriptor]);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  using buffer = pool.acquire();
  for (const meta of [{ at: 1n }, cycle, { toJSON: () => assert.fail('no') }]) {
    const wrong = (error: SealaneError) => error.code === invalid.code && error.cause instanceof Error;
    assert.throws(() => publisher.send(meta, memory.descriptor), wrong);
    assert.throws(() => buffer?.send(meta), wrong);
  }
  for (const meta of [undefined, () => 1, Symbol('x')])
    assert.throws(() => publisher.send(meta, memory.descriptor), {
      ...invalid,
      message: /meta must be a value/,
    });
  assert.equal(publisher.figures.loaned, 0);
});

test('metadata that has no room is refused with the setting that gives it more', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  using memory = BufferMemory.allocate(8);
  using usual = (await service.bufferPool<string>([memory.descriptor])).acquire();
  const retried = await service.bufferPool<string>([memory.descriptor]);
  const long = 'x'.repeat(4_095);
  assert.throws(() => usual?.send(long), {
    ...invalid,
    message: /0 to 4096 bytes.*options\.maxBytes of bufferPool/,
  });
  using larger = (await service.bufferPool<string>([memory.descriptor], { maxBytes: 5_000 })).acquire();
  assert.equal(larger?.send(long), 0);
  {
    using failing = retried.acquire();
    assert.throws(() => failing?.send(long), invalid);
    assert.equal(retried.acquire(), undefined, 'it is still on loan');
  }
  assert.equal(retried.acquire()?.send('x'), 0, 'the end of the block has given it back');
  const small = await stage.service({ maxBytes: 100 }, 'small');
  const frame = { width: 1, height: 1, fourcc: fourcc('R8') };
  const meta = { ...frame, planes: [{ descriptor: 0, offset: 0, stride: 1, bytes: 1 }] };
  const pool = await small.bufferPool([memory.descriptor], { metadata: frameMetadata });
  using buffer = pool.acquire();
  assert.throws(() => buffer?.send(meta as never), { ...invalid, message: /meta.*192 bytes.*maxBytes/ });
  const publisher = await small.bufferPublisher({ metadata: frameMetadata });
  assert.throws(() => publisher.send(meta as never, memory.descriptor), {
    ...invalid,
    message: /192 bytes.*maxBytes/,
  });
});
