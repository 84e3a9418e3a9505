// Fills this user's share of descriptors in flight: asks for many blobs on several connections without reading the answers, then reads
// them all. Prints "all answers came" when every answer came with its descriptor.
import { closeDescriptor, decodeResponse, encodeRequest, Memfd, UnixSocket } from 'sealane/internal';

const CONNECTIONS = 12;
const GETS = 60;
const [path = ''] = process.argv.slice(2);
const buffer = new Uint8Array(65_536);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const hello = {
  type: 'hello',
  minVersion: 1,
  maxVersion: 1,
  maxPacketBytes: 65_536,
  maxMessageBytes: 65_536,
} as const;

/** The descriptors of the next answer on a socket; undefined when none is there yet. */
function poll(socket: UnixSocket): number[] | undefined {
  const packet = socket.receive(buffer);
  if (packet === 'end') throw new Error('the broker closed the connection');
  if (packet === 'empty') return undefined;
  const response = decodeResponse(buffer.slice(0, packet.bytes));
  if (response.type === 'error') throw new Error(response.text);
  return packet.descriptors;
}

/** Waits for the next answer: nothing in this process turns an event loop. */
function receive(socket: UnixSocket): number[] {
  for (;;) {
    const descriptors = poll(socket);
    if (descriptors !== undefined) return descriptors;
    Atomics.wait(sleeper, 0, 0, 1);
  }
}

function open(): UnixSocket {
  const socket = UnixSocket.connect(path);
  if (socket === undefined) throw new Error('the broker is busy');
  socket.send(encodeRequest({ ...hello, requestId: 1 }));
  receive(socket);
  return socket;
}

const sockets = Array.from({ length: CONNECTIONS }, open);
const first = sockets[0] ?? open();
using memfd = Memfd.sealed('flight', new Uint8Array(1));
const put = { type: 'put', size: 1, name: 'x', contentAddressed: false, allowed: [], metadata: {} } as const;
first.send(encodeRequest({ ...put, requestId: 2 }), [memfd.fd]);
receive(first);
const get = { type: 'get', selector: { by: 'name', name: 'x' }, wait: false } as const;
for (const socket of sockets)
  for (let index = 0; index < GETS; index++) socket.send(encodeRequest({ ...get, requestId: 10 + index }));
// The broker now has 720 descriptors to send and may have 300 in flight. Give it time to run into that.
Atomics.wait(sleeper, 0, 0, 200);
// Whatever is there is read: who waited for one connection alone would leave the others' descriptors in flight for ever.
for (let missing = CONNECTIONS * GETS; missing > 0; ) {
  const arrived = sockets.map(poll).filter((descriptors) => descriptors !== undefined);
  for (const descriptors of arrived) {
    if (descriptors.length !== 1) throw new Error(`an answer came with ${descriptors.length} descriptors`);
    for (const descriptor of descriptors) closeDescriptor(descriptor);
  }
  missing -= arrived.length;
  if (arrived.length === 0) Atomics.wait(sleeper, 0, 0, 1);
}
process.stdout.write('all answers came\n');
