// A client that is killed at a chosen step of its work: `client.js SOCKET STEP`. It prints the step when it is there, and stays.
import { connect } from 'sealane';
import { BLOB_SEALS, encodeRequest, Memfd, UnixSocket } from 'sealane/internal';

const [socketPath = '', step = ''] = process.argv.slice(2);
const HELLO = {
  type: 'hello',
  minVersion: 1,
  maxVersion: 1,
  maxPacketBytes: 65_536,
  maxMessageBytes: 65_536,
} as const;
const METADATA = {};

function stay(): void {
  process.stdout.write(`${step}\n`);
  setInterval(() => {}, 60_000);
}

function rawConnect(): UnixSocket {
  const socket = UnixSocket.connect(socketPath);
  if (socket === undefined) throw new Error('the broker is busy');
  return socket;
}

function rawPut(socket: UnixSocket, contentAddressed: boolean): void {
  const memfd = Memfd.create('killed', 64 << 20);
  memfd.seal(BLOB_SEALS);
  const fields = { allowed: [], metadata: METADATA, contentAddressed };
  socket.send(encodeRequest({ type: 'put', requestId: 2, size: 64 << 20, ...fields }), [memfd.fd]);
}

const steps: Record<string, () => Promise<void> | void> = {
  connected: () => void rawConnect(),
  greeted: () => void rawConnect().send(encodeRequest({ ...HELLO, requestId: 1 })),
  'put sent, answer unread': () => {
    const socket = rawConnect();
    socket.send(encodeRequest({ ...HELLO, requestId: 1 }));
    rawPut(socket, false);
  },
  'put being hashed': () => {
    const socket = rawConnect();
    socket.send(encodeRequest({ ...HELLO, requestId: 1 }));
    rawPut(socket, true);
  },
  'gets sent, answers unread': () => {
    const socket = rawConnect();
    socket.send(encodeRequest({ ...HELLO, requestId: 1 }));
    const get = { type: 'get', selector: { by: 'name', name: 'kept' }, wait: false } as const;
    for (let requestId = 2; requestId < 40; requestId++) socket.send(encodeRequest({ ...get, requestId }));
  },
  'draft open': async () => {
    const bus = await connect({ socket: socketPath });
    bus.draft(1 << 20).bytes.fill(1);
  },
  'blob mapped': async () => {
    const bus = await connect({ socket: socketPath });
    const blob = await bus.get('kept');
    if (blob.bytes[0] !== 7) throw new Error('wrong content');
  },
  'waiting and watching': async () => {
    const bus = await connect({ socket: socketPath });
    void bus.wait('never').catch(() => {});
    void bus.watch('never*').next();
    await bus.status();
  },
};

await steps[step]?.();
stay();
