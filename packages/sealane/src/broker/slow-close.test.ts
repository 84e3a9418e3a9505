/**
 * Descriptors whose close(2) waits for their sender: whatever a client sends and in whatever way it is refused, others are served
 * meanwhile. The broker is a process of its own, which a failure blocks.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { disposeDescriptor } from '../os/descriptor.js';
import { UnixSocket } from '../os/unix-socket.js';
import { encodeRequest, MEMFDBUS_COMMAND, type Request } from '../wire/index.js';
import { forkBroker } from './child.test.helper.js';
import { digestOf, requestOf } from './memfdbus/client.test.helper.js';
import { directory, putCall, RawClient } from './raw-client.test.helper.js';

/** Ends a test whose broker is blocked. */
const WATCHDOG = { timeout: 60_000 };

const HELLO = {
  type: 'hello',
  minVersion: 1,
  maxVersion: 1,
  maxPacketBytes: 65_536,
  maxMessageBytes: 65_536,
};

function hex(call: object, requestId: number): string {
  return Buffer.from(encodeRequest({ ...call, requestId } as Request)).toString('hex');
}

const hello = hex(HELLO, 1);
const put = hex(putCall('x', 100), 2);
/** The header of a put whose body is said to be in a memfd. */
const detached = `10000000020001000200000000000000`;

/**
 * Sends packets, each with a number of descriptors, the last of which is a TCP socket that lingers for an hour because its peer does
 * not read. It is the only reference to it. Says "sent", then "answered" when an answer or the end came, and stays. A packet is
 * written HEX:DESCRIPTORS, or HEX:DESCRIPTORS:oob for out-of-band data.
 */
const LINGERING = `
import array, os, socket, struct, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(1)
sender = socket.socket()
sender.connect(listener.getsockname())
reader, _ = listener.accept()
sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3600))
sender.setblocking(False)
try:
    while True: sender.send(bytes(65536))
except BlockingIOError: pass
bus = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if 'memfdbus' in sys.argv[1] else socket.SOCK_SEQPACKET)
bus.connect(sys.argv[1])
other = os.open('/dev/null', os.O_RDONLY)
for packet in sys.argv[2:]:
    text, count, *flags = packet.split(':')
    fds = [other] * (int(count) - 1) + [sender.fileno()] if count != '0' else []
    try: bus.sendmsg([bytes.fromhex(text)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))], socket.MSG_OOB if flags else 0)
    except BrokenPipeError: break
sender.close()
print('sent', flush=True)
bus.recv(65536)
print('answered', flush=True)
sys.stdin.read()
`;

/** Resolves when all packets are sent, to what resolves when one is answered. Skips the test where there is no Python. */
async function linger(
  t: TestContext,
  socket: string,
  packets: readonly string[],
): Promise<(() => Promise<unknown>) | undefined> {
  if (spawnSync('python3', ['-c', '']).status !== 0) {
    t.skip('there is no python3');
    return undefined;
  }
  const child = spawn('python3', ['-c', LINGERING, socket, ...packets], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'sent');
  return () => lines.next();
}

/** A broker in a process of its own, and a client of it. */
async function start(t: TestContext): Promise<{ socket: string; broker: ChildProcess; client: RawClient }> {
  const socket = join(directory(t), 'broker.sock');
  const broker = await forkBroker(t, { socket });
  const client = await RawClient.open(socket);
  t.after(() => client.close());
  return { socket, broker, client };
}

async function isServed(client: RawClient): Promise<void> {
  await client.put('after');
  await client.ask({ type: 'stat', selector: { by: 'name', name: 'after' }, digest: false });
}

const ATTACKS: readonly [string, readonly string[]][] = [
  ['as the object of a put', [`${hello}:0`, `${put}:1`]],
  ['where no descriptor belongs', [`${hello}:0`, `${hex({ type: 'status' }, 2)}:1`]],
  ['as the second of a put', [`${hello}:0`, `${put}:2`]],
  ['as the last of more than any message has', [`${hello}:0`, `${put}:253`]],
  ['with a hello', [`${hello}:1`]],
  ['with what is no message', [`${hello}:0`, '00:1', `${put}:1`]],
  ['as the body of a detached message', [`${hello}:0`, `${detached}:1`]],
  ['in an empty packet', [`${hello}:0`, ':1']],
];

for (const [where, packets] of ATTACKS) {
  test(`a socket that lingers, sent ${where}, keeps nobody waiting`, WATCHDOG, async (t) => {
    const { socket, client } = await start(t);
    const answered = await linger(t, socket, packets);
    if (answered === undefined) return;
    await answered();
    await isServed(client);
  });

  test(
    `a socket that lingers, ${where}, unread when the connection ends, keeps nobody waiting`,
    WATCHDOG,
    async (t) => {
      const { socket, broker, client } = await start(t);
      broker.kill('SIGSTOP');
      const answered = await linger(t, socket, ['00:0', ...packets]);
      broker.kill('SIGCONT');
      if (answered === undefined) return;
      await answered();
      await isServed(client);
    },
  );
}

const foreign = Buffer.from(
  requestOf(MEMFDBUS_COMMAND.put, { name: 'x', size: 100n, text: digestOf('x') }),
).toString('hex');

const FOREIGN_ATTACKS: readonly [string, readonly string[]][] = [
  ['as the object of a put', [`${foreign}:1`]],
  ['as the last of many', [`${foreign}:253`]],
  ['with out-of-band data', [`${foreign.slice(0, 8)}:0`, '00:1:oob', `${foreign.slice(8)}:0`]],
  ['after what is no request', [`${'00'.repeat(100)}:0`, `${foreign}:1`, '00:1:oob']],
];

for (const [where, packets] of FOREIGN_ATTACKS) {
  test(`a socket that lingers, sent through memfdbus ${where}, keeps nobody waiting`, WATCHDOG, async (t) => {
    const folder = directory(t);
    const socket = join(folder, 'broker.sock');
    const memfdbusSocket = join(folder, 'memfdbus.sock');
    const broker = await forkBroker(t, { socket, memfdbusSocket });
    const client = await RawClient.open(socket);
    t.after(() => client.close());
    broker.kill('SIGSTOP');
    const answered = await linger(t, memfdbusSocket, packets);
    broker.kill('SIGCONT');
    if (answered === undefined) return;
    await answered();
    await isServed(client);
  });
}

/** Mounts a file system that answers no flush; ends it, and with it all waiting for it, with the test. Undefined: not here. */
async function mountHostile(
  t: TestContext,
): Promise<{ file: string; nextLine: () => Promise<unknown> } | undefined> {
  const at = mkdtempSync(join(tmpdir(), 'sealane-fuse-'));
  const helper = fileURLToPath(new URL('./fuse.test.helper.js', import.meta.url));
  const server = spawn(process.execPath, [helper, at], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const { done } = await lines.next();
  t.after(async () => {
    server.kill('SIGKILL');
    if (done !== true) await once(spawn('umount', ['-l', at], { stdio: 'inherit' }), 'exit');
    rmdirSync(at);
  });
  return done === true ? undefined : { file: join(at, 'file'), nextLine: () => lines.next() };
}

test('a file of a FUSE file system that answers no flush keeps nobody waiting', WATCHDOG, async (t) => {
  const hostile = await mountHostile(t);
  if (hostile === undefined) {
    t.skip('no FUSE file system can be mounted here');
    return;
  }
  const { socket, client } = await start(t);
  const fd = openSync(hostile.file, 'r');
  const attacker = await RawClient.open(socket);
  t.after(() => attacker.close());
  await attacker.refused('wrongDescriptor', putCall('x', 100), [fd]);
  await hostile.nextLine();
  await isServed(client);
  assert.equal((await attacker.call({ type: 'status' })).response.type, 'status');
  disposeDescriptor(fd);
});

test('who is refused leaves no file of a FUSE file system with the broker', WATCHDOG, async (t) => {
  const hostile = await mountHostile(t);
  if (hostile === undefined) {
    t.skip('no FUSE file system can be mounted here');
    return;
  }
  const folder = directory(t);
  const socket = join(folder, 'broker.sock');
  await forkBroker(t, { socket, maxConnections: 1 });
  const client = await RawClient.open(socket);
  t.after(() => client.close());
  const fd = openSync(hostile.file, 'r');
  for (let round = 0; round < 5; round++) {
    const attacker = new RawClient(UnixSocket.connect(socket) as UnixSocket);
    attacker.send(Buffer.from(hello, 'hex'), [fd]);
    await attacker.ended;
    attacker.close();
  }
  await isServed(client);
  disposeDescriptor(fd);
  // The first flush that anybody asked for.
  const thread = String(((await hostile.nextLine()) as IteratorResult<string>).value).replace('flush ', '');
  assert.ok(readdirSync('/proc/self/task').includes(thread), `${thread} is no thread of this process`);
});
