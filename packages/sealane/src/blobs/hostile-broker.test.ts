// A client against brokers that lie: whatever they send ends in an error with a code, and leaves no descriptor.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { closedError } from '../base/errors.js';
import { BLOB_SEALS, closeDescriptor } from '../os/descriptor.js';
import { Memfd } from '../os/memfd.js';
import { UnixSocket } from '../os/unix-socket.js';
import { Watcher } from '../os/watcher.js';
import {
  type BrokerLimits,
  decodeRequest,
  encodeResponse,
  type Request,
  type Response,
  STATUS,
} from '../wire/index.js';
import { connect } from './bus.js';
import { openConnection, toConnectSettings } from './connect.js';

const LIMITS: BrokerLimits = {
  maxPacketBytes: 65_536,
  maxMessageBytes: 1_048_576,
  maxNameBytes: 65_536,
  maxObjects: 10,
  maxBytes: 1_000_000,
  maxObjectBytes: 1_000_000,
  maxOutstanding: 2,
  maxWatches: 2,
  maxListEntries: 10,
};

const OBJECT = { id: 1, size: 5, allowed: [], metadata: {}, createdAtMs: 0, uid: 0 } as const;

/** What a lying broker does with a request after the hello. */
type Answer = (request: Request, socket: UnixSocket) => void;

/** Serves one client: greets it as a broker should, then does as `answer` says. Ends with the test. */
function serve(context: TestContext, answer: Answer, greet = true): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-test-'));
  const path = join(folder, 'liar.sock');
  const listener = UnixSocket.listen(path, 8);
  const closers: Array<() => void> = [() => listener.close(), () => rmSync(folder, { recursive: true })];
  const accepting = new Watcher(listener.fd, () => {
    const socket = listener.accept();
    if (socket === undefined) return;
    const watcher = new Watcher(socket.fd, () => respond(socket, watcher, answer, greet));
    watcher.want(true, false);
    closers.unshift(
      () => watcher.close(),
      () => socket.close(),
    );
  });
  accepting.want(true, false);
  closers.unshift(() => accepting.close());
  context.after(() => {
    for (const close of closers) close();
  });
  return path;
}

function respond(socket: UnixSocket, watcher: Watcher, answer: Answer, greet: boolean): void {
  const buffer = new Uint8Array(65_536);
  const packet = socket.receive(buffer);
  if (packet === 'end') watcher.close();
  if (typeof packet === 'string') return;
  for (const descriptor of packet.descriptors) closeDescriptor(descriptor);
  const request = decodeRequest(buffer.slice(0, packet.bytes));
  if (request.type !== 'hello') answer(request, socket);
  else if (greet)
    socket.send(encodeResponse({ ...request, type: 'hello', version: 1, brokerPid: 1, limits: LIMITS }));
}

/** Answers with an object of 5 bytes and these descriptors, which are closed. */
function sendObject(
  socket: UnixSocket,
  request: Request,
  memfds: readonly Memfd[],
  type: 'get' | 'stat' = 'get',
): void {
  const { requestId } = request;
  socket.send(
    encodeResponse({ type, requestId, object: OBJECT }),
    memfds.map(({ fd }) => fd),
  );
  for (const memfd of memfds) memfd.close();
}

function sealed(bytes: number): Memfd {
  return Memfd.sealed('lie', new Uint8Array(bytes));
}

function unsealed(seals: number): Memfd {
  const memfd = Memfd.create('lie', 5);
  if (seals !== 0) memfd.seal(seals);
  return memfd;
}

const LIES: Array<{ name: string; code: string; answer: Answer }> = [
  {
    name: 'sends a memfd without seals',
    code: 'ERR_SEALANE_NOT_SEALED',
    answer: (request, socket) => sendObject(socket, request, [unsealed(0)]),
  },
  {
    name: 'sends a memfd that can still be written',
    code: 'ERR_SEALANE_NOT_SEALED',
    answer: (request, socket) => sendObject(socket, request, [unsealed(BLOB_SEALS & ~8)]),
  },
  {
    name: 'sends a memfd of another size',
    code: 'ERR_SEALANE_SIZE_MISMATCH',
    answer: (request, socket) => sendObject(socket, request, [sealed(4)]),
  },
  {
    name: 'sends no descriptor',
    code: 'ERR_SEALANE_EXHAUSTED',
    answer: (request, socket) => sendObject(socket, request, []),
  },
  {
    name: 'sends surplus descriptors',
    code: 'ERR_SEALANE_CONNECTION_LOST',
    answer: (request, socket) => sendObject(socket, request, [sealed(5), sealed(5)]),
  },
  {
    name: 'answers another request',
    code: 'ERR_SEALANE_CONNECTION_LOST',
    answer: (request, socket) => sendObject(socket, { ...request, requestId: 77 }, [sealed(5)]),
  },
  {
    name: 'answers with another type',
    code: 'ERR_SEALANE_CONNECTION_LOST',
    answer: (request, socket) => sendObject(socket, request, [], 'stat'),
  },
  {
    name: 'sends garbage',
    code: 'ERR_SEALANE_CONNECTION_LOST',
    answer: (_request, socket) => void socket.send(new Uint8Array(100).fill(0xee)),
  },
  {
    name: 'hangs up',
    code: 'ERR_SEALANE_CONNECTION_LOST',
    answer: (_request, socket) => socket.shutdown(),
  },
];

for (const { name, code, answer } of LIES) {
  test(`a broker that ${name} gives the caller ${code}`, async (context) => {
    const socket = serve(context, answer);
    const bus = await connect({ socket });
    const before = readdirSync('/proc/self/fd').length;
    await assert.rejects(bus.get('x'), { code });
    const after = readdirSync('/proc/self/fd').length;
    assert.ok(after <= before, `descriptors grew from ${before} to ${after}`);
    await bus.close();
  });
}

test('a broker that does not greet is given up after the time limit', async (context) => {
  const socket = serve(context, () => {}, false);
  await assert.rejects(connect({ socket, timeoutMs: 50 }), { code: 'ERR_SEALANE_TIMEOUT', message: /50 ms/ });
  const controller = new AbortController();
  const connecting = connect({ socket, signal: controller.signal });
  controller.abort();
  await assert.rejects(connecting, { code: 'ERR_SEALANE_ABORTED' });
});

test('no more requests are sent than the broker takes; the rest waits, and can be given up', async (context) => {
  const unanswered: Request[] = [];
  const socket = serve(context, (request) => void unanswered.push(request));
  const bus = await connect({ socket });
  const controller = new AbortController();
  const calls = [1, 2, 3, 4].map((id) => bus.stat(id, { signal: controller.signal }));
  const patient = bus.stat(5);
  const results = Promise.allSettled([...calls, patient]);
  while (unanswered.length < LIMITS.maxOutstanding) await turn();
  for (let count = 0; count < 20; count++) await turn();
  assert.equal(unanswered.length, LIMITS.maxOutstanding);
  controller.abort();
  for (const call of calls) await assert.rejects(call, { code: 'ERR_SEALANE_ABORTED' });
  await bus.close();
  await assert.rejects(patient, { code: 'ERR_SEALANE_CLOSED' });
  await results;
});

test('a watch that the broker refuses, or that ended, is forgotten', async (context) => {
  const socket = serve(context, (request, to) => {
    const { requestId, type } = request;
    const refused = request.type === 'watch' && request.pattern === 'refused';
    const status = STATUS.limitExceeded;
    if (refused)
      to.send(encodeResponse({ type: 'error', requestId, request: type, status, text: 'too many' }));
    else to.send(encodeResponse({ type, requestId } as Response));
  });
  const connection = await openConnection(toConnectSettings({ socket }));
  const options = { type: 'watch', literal: false, every: false, existing: false } as const;
  const { answer } = await connection.ask({ ...options, pattern: 'kept' });
  assert.equal(connection.watches, 1);
  for (let count = 0; count < 3; count++) {
    const refusal = { code: 'ERR_SEALANE_LIMIT_EXCEEDED' };
    await assert.rejects(connection.ask({ ...options, pattern: 'refused' }), refusal);
  }
  assert.equal(connection.watches, 1);
  await connection.ask({ type: 'cancel', target: answer.requestId });
  assert.equal(connection.watches, 0);
  connection.close(closedError('the test'));
});

/** One turn of the event loop, in which the broker of this process reads what it was sent. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
