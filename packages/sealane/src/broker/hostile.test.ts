/** Bad input: whatever a client sends, it gets an error or its end; others are served, and no descriptor stays behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  closeDescriptor,
  inspect,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
} from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { type Packet, UnixSocket } from '../os/unix-socket.js';
import { decodeHeader, encodeRequest, type Request, STATUS } from '../wire/index.js';
import {
  countDescriptors,
  directory,
  get,
  putCall,
  type RawClient,
  sealed,
  startBroker,
  type TestBroker,
  until,
} from './raw-client.test.helper.js';

const SIZE = 4_096;

/** Kinds of descriptors that are no blobs: how to make one, and how it is refused. */
const WRONG: readonly [
  string,
  'wrongDescriptor' | 'notSealed' | 'sizeMismatch',
  (t: TestContext) => number,
][] = [
  ['an unsealed memfd', 'notSealed', (t) => partlySealed(t, 0)],
  ['a memfd without F_SEAL_SEAL', 'notSealed', (t) => partlySealed(t, SEAL_SHRINK | SEAL_GROW | SEAL_WRITE)],
  ['a memfd that can shrink', 'notSealed', (t) => partlySealed(t, SEAL_SEAL | SEAL_GROW | SEAL_WRITE)],
  ['a memfd that can grow', 'notSealed', (t) => partlySealed(t, SEAL_SEAL | SEAL_SHRINK | SEAL_WRITE)],
  [
    'a memfd that is sealed against future writes only',
    'notSealed',
    (t) => partlySealed(t, SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_FUTURE_WRITE),
  ],
  ['a memfd of another size', 'sizeMismatch', (t) => sealed(t, 'short').fd],
  [
    'a file',
    'wrongDescriptor',
    (t) => opened(t, join(directory(t), 'file'), constants.O_RDWR | constants.O_CREAT),
  ],
  ['a file that was deleted', 'wrongDescriptor', deletedFile],
  ['a directory', 'wrongDescriptor', (t) => opened(t, '/tmp', constants.O_RDONLY)],
  ['a device', 'wrongDescriptor', (t) => opened(t, '/dev/zero', constants.O_RDONLY)],
  ['a socket', 'wrongDescriptor', socketEnd],
  ['a memfd opened for writing only', 'wrongDescriptor', writeOnlyMemfd],
];

for (const [what, status, make] of WRONG) {
  test(`${what} is refused as ${status} and not kept`, async (t) => {
    const { open } = await startBroker(t);
    const client = await open();
    const fd = make(t);
    await refusedWithoutTrace(client, status, fd);
  });
}

test('a file in /dev/shm is refused', async (t) => {
  const path = `/dev/shm/sealane-test-${process.pid}`;
  try {
    writeFileSync(path, new Uint8Array(SIZE));
  } catch (error) {
    t.skip(`no /dev/shm here: ${String(error)}`);
    return;
  }
  t.after(() => unlinkSync(path));
  const { open } = await startBroker(t);
  // It is a tmpfs file like a memfd, but nothing can seal it.
  await refusedWithoutTrace(await open(), 'notSealed', opened(t, path, constants.O_RDONLY));
});

test('a memfd opened with O_PATH is refused', async (t) => {
  const fd = pathOnlyMemfd(t);
  if (fd === undefined) return;
  const { open } = await startBroker(t);
  await refusedWithoutTrace(await open(), 'wrongDescriptor', fd);
});

test('huge-page memory is refused', async (t) => {
  const fd = hugePageMemfd(t);
  if (fd === undefined) return;
  const { open } = await startBroker(t);
  await refusedWithoutTrace(await open(), 'wrongDescriptor', fd);
});

for (const count of [0, 2, 4]) {
  test(`a put with ${count} descriptors is refused and all of them are closed`, async (t) => {
    const { open } = await startBroker(t);
    const client = await open();
    const { fd } = sealed(t, 'x'.repeat(SIZE));
    await client.refused('wrongDescriptor', putCall('a', SIZE), Array<number>(count).fill(fd));
    const before = countDescriptors();
    await client.refused('wrongDescriptor', putCall('a', SIZE), Array<number>(count).fill(fd));
    await closed(before);
    await client.put('b');
  });
}

test('a request that takes no descriptor is refused when one comes along, and it is closed', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const { fd } = sealed(t, 'x');
  const before = countDescriptors();
  await client.refused('wrongDescriptor', get('a'), [fd]);
  await client.refused('wrongDescriptor', { type: 'status' }, [fd, fd]);
  await closed(before);
});

const put: Request = {
  type: 'put',
  requestId: 7,
  size: SIZE,
  name: 'name',
  contentAddressed: false,
  digest: 'a'.repeat(64),
  owner: 'owner',
  allowed: ['one', 'two'],
  ttlMs: 60_000,
  metadata: { key: 'value', other: '' },
};

test('every truncation of a put ends with an error or the end of its connection, and leaves nothing', async (t) => {
  const made = await startBroker(t);
  const whole = encodeRequest(put);
  const { fd } = sealed(t, 'x'.repeat(SIZE));
  await leavesNothing(made, async () => {
    for (let length = 1; length < whole.length; length++) {
      // Once as it is cut, and once with a header that says so.
      const cut = whole.slice(0, length);
      const consistent = cut.slice();
      if (length >= 16) new DataView(consistent.buffer).setUint32(0, length - 16, true);
      for (const bytes of [cut, consistent]) {
        const client = await made.open();
        const answer = await client.provoke(bytes, [fd]);
        if (answer !== undefined && answer.response.type !== 'put')
          assert.equal(answer.response.type, 'error');
        client.close();
      }
    }
  });
});

test('a request that can be read by its header only is answered before its connection ends', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const bytes = encodeRequest({
    type: 'get',
    requestId: 9,
    selector: { by: 'name', name: 'a' },
    wait: false,
  });
  bytes[4] = 200;
  const { response } = await client.callBytes(bytes, 9);
  assert.equal(response.type, 'error');
  await client.ended;
});

for (const [what, call] of [
  ['a request before the hello', { type: 'status', requestId: 1 }],
  ['a put before the hello', { ...put, requestId: 1 }],
] satisfies [string, Request][]) {
  test(`${what} is refused and ends the connection`, async (t) => {
    const { connect } = await startBroker(t);
    const client = connect();
    const answer = await client.provoke(encodeRequest(call), [sealed(t, 'x').fd]);
    assert(answer?.response.type === 'error');
    assert.equal(answer.response.status, STATUS.badRequest);
    await client.ended;
  });
}

test('a hello with a descriptor is refused and ends the connection', async (t) => {
  const { connect } = await startBroker(t);
  const client = connect();
  const hello = { type: 'hello', minVersion: 1, maxVersion: 1 } as const;
  const sizes = { maxPacketBytes: 65_536, maxMessageBytes: 65_536 };
  const { response } = await client.call({ ...hello, ...sizes }, [sealed(t, 'x').fd]);
  assert(response.type === 'error');
  assert.equal(response.status, STATUS.wrongDescriptor);
  await client.ended;
});

test('a second hello is refused and ends the connection, with what is pending', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const pending = client.refused('closing', get('never', true));
  const { response } = await client.hello();
  assert(response.type === 'error');
  await pending;
  await client.ended;
});

test('a client that speaks only other versions is told which one there is', async (t) => {
  const { connect } = await startBroker(t);
  const client = connect();
  const { response } = await client.call({
    type: 'hello',
    minVersion: 2,
    maxVersion: 9,
    maxPacketBytes: 65_536,
    maxMessageBytes: 65_536,
  });
  assert(response.type === 'error' && response.status === STATUS.version);
  assert.match(response.text, /2 to 9.*version 1/);
});

test('a requestId that is used twice ends the connection', async (t) => {
  const { open } = await startBroker(t);
  const client = await open();
  const request: Request = {
    type: 'get',
    requestId: 50,
    selector: { by: 'name', name: 'never' },
    wait: true,
  };
  client.send(encodeRequest(request));
  client.send(encodeRequest(request));
  await client.ended;
});

test('random packets end with an error or the end of their connection, and leave nothing', async (t) => {
  const made = await startBroker(t);
  const { fd } = sealed(t, 'x'.repeat(SIZE));
  const packet = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const seeds = fc.constantFrom<Request>(
    put,
    { type: 'get', requestId: 3, selector: { by: 'name', name: 'a' }, wait: true },
    { type: 'list', requestId: 3, pattern: 'a*', after: 0, limit: 10, digests: true },
    { type: 'watch', requestId: 3, pattern: '*', literal: false, every: true, existing: true },
    {
      type: 'hello',
      requestId: 3,
      minVersion: 1,
      maxVersion: 1,
      maxPacketBytes: 4_096,
      maxMessageBytes: 4_096,
    },
  );
  const mutated = fc
    .tuple(
      seeds,
      fc.array(fc.tuple(fc.nat({ max: 200 }), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    )
    .map(([request, changes]) => {
      const bytes = encodeRequest(request);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  const run = fc.record({
    greeted: fc.boolean(),
    bytes: fc.oneof(packet, mutated),
    count: fc.integer({ min: 0, max: 2 }),
  });
  await leavesNothing(made, () =>
    fc.assert(
      fc.asyncProperty(run, async ({ greeted, bytes, count }) => {
        const client = greeted ? await made.open() : made.connect();
        client.send(bytes, Array<number>(count).fill(fd));
        // Whatever becomes of it: the broker has dealt with it when it has answered somebody who came later.
        const other = await made.open();
        other.close();
        client.close();
      }),
      { numRuns: 400 },
    ),
  );
});

test('a detached message is accepted, and one with a wrong body ends its connection', async (t) => {
  const made = await startBroker(t);
  const whole = encodeRequest({
    type: 'get',
    requestId: 2,
    selector: { by: 'name', name: 'a' },
    wait: false,
  });
  const header = whole.slice(0, 16);
  header[6] = 1;
  using body = Memfd.sealed('body', whole.subarray(16));
  const wrong = [[], [sealed(t, 'x').fd], [partlySealed(t, 0)]];
  await leavesNothing(made, async () => {
    const good = await made.open();
    assert.equal(
      (await good.callBytes(header, 2, [body.fd])).response.type,
      'error',
      'there is no such object',
    );
    for (const descriptors of wrong) {
      const client = await made.open();
      client.send(header, descriptors);
      await client.ended;
      client.close();
    }
    good.close();
  });
});

test('an answer over the packet size that the client takes comes detached', async (t) => {
  const { broker, open } = await startBroker(t);
  const name = 'x'.repeat(3_000);
  await (await open()).put(name);
  using socket = UnixSocket.connect(broker.socket);
  assert(socket !== undefined);
  const limits = { maxPacketBytes: 1_024, maxMessageBytes: 65_536 };
  const buffer = new Uint8Array(65_536);
  const exchange = async (request: Request): Promise<Packet> => {
    let packet: Packet | 'empty' | 'end' = 'empty';
    socket.send(encodeRequest(request));
    await until('an answer comes', () => {
      packet = socket.receive(buffer);
      return packet !== 'empty';
    });
    assert(typeof packet === 'object');
    return packet;
  };
  await exchange({ type: 'hello', requestId: 1, minVersion: 1, maxVersion: 1, ...limits });
  const { bytes, descriptors } = await exchange({ ...get(name), requestId: 2 } as Request);
  const header = decodeHeader(buffer.subarray(0, bytes));
  assert.equal(header.detached, true);
  assert.equal(descriptors.length, 2);
  assert.equal(inspect(descriptors[0] ?? -1).size, header.bodyBytes);
  for (const descriptor of descriptors) closeDescriptor(descriptor);
});

/** The status of the answer; and the broker keeps no descriptor. */
async function refusedWithoutTrace(
  client: RawClient,
  status: Parameters<RawClient['refused']>[0],
  fd: number,
): Promise<void> {
  const before = countDescriptors();
  const text = await client.refused(status, putCall('a', SIZE), [fd]);
  assert(text.length > 20, text);
  // The number is the broker's own, and tells nothing to the client.
  assert.doesNotMatch(text, /descriptor \d/);
  await client.refused(status, putCall('a', SIZE, { contentAddressed: true }), [fd]);
  await closed(before);
  await client.refused('notFound', get('a'));
}

/** What is refused is closed on a thread. */
function closed(before: number): Promise<void> {
  return until('what was refused is closed', () => countDescriptors() <= before);
}

/** Runs something, and waits until the broker has as many descriptors as before; it must still serve. */
async function leavesNothing({ open, broker }: TestBroker, run: () => Promise<void>): Promise<void> {
  await (await open()).put('before', { ttlMs: 60_000 });
  const objects = broker.status().objects;
  const before = countDescriptors();
  await run();
  await until(
    'all connections and descriptors are gone',
    () => countDescriptors() - broker.status().objects + objects <= before,
  );
  const client = await open();
  await client.put('after');
  await client.ask(get('after'));
}

function partlySealed(t: TestContext, seals: number): number {
  const memfd = Memfd.create('partly', SIZE);
  t.after(() => memfd.close());
  if (seals !== 0) memfd.seal(seals);
  return memfd.fd;
}

function opened(t: TestContext, path: string, flags: number): number {
  const fd = openSync(path, flags);
  t.after(() => closeSync(fd));
  return fd;
}

function deletedFile(t: TestContext): number {
  const path = join(directory(t), 'file');
  writeFileSync(path, new Uint8Array(SIZE));
  const fd = opened(t, path, constants.O_RDONLY);
  unlinkSync(path);
  return fd;
}

function socketEnd(t: TestContext): number {
  const pair = UnixSocket.pair();
  t.after(() => pair.forEach((end) => void end.close()));
  return pair[0].fd;
}

function writeOnlyMemfd(t: TestContext): number {
  return opened(t, `/proc/self/fd/${partlySealed(t, 0)}`, constants.O_WRONLY);
}

/** Node.js knows no O_PATH, and memfd_create of ours no huge pages: Python helps, where it is there. */
function hugePageMemfd(t: TestContext): number | undefined {
  return fromPython(
    t,
    'huge-page memory',
    'fd = os.memfd_create("huge", 4 | 2)\nos.ftruncate(fd, 0)\nfcntl.fcntl(fd, 1033, 15)',
  );
}

function pathOnlyMemfd(t: TestContext): number | undefined {
  return fromPython(t, 'O_PATH', 'fd = os.open(f"/proc/self/fd/{os.memfd_create(\'path\', 2)}", os.O_PATH)');
}

/** A descriptor that a few lines of Python make and send; undefined, with the test skipped, where they fail. */
function fromPython(t: TestContext, what: string, code: string): number | undefined {
  const path = join(directory(t), 'python.sock');
  using listener = UnixSocket.listen(path, 1);
  const send = `s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect("${path}")\nsocket.send_fds(s, [b"x"], [fd])`;
  const run = spawnSync('python3', ['-c', `import fcntl, os, socket\n${code}\n${send}`], {
    encoding: 'utf8',
  });
  using socket = listener.accept();
  const packet = socket?.receive(new Uint8Array(1));
  const fd = typeof packet === 'object' ? packet.descriptors[0] : undefined;
  if (fd === undefined)
    t.skip(`${what} can't be had here: ${run.error ?? run.stderr.trim().split('\n').at(-1)}`);
  else t.after(() => closeDescriptor(fd));
  return fd;
}
