/**
 * A process that connects to a publisher as a subscriber, writes random values all over its control memory and sends random packets
 * without end, and connects again whenever it is thrown out. Says how often that was. Arguments: the directory, the node, the request.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type ConnectRequest,
  channelBytes,
  Domain,
  decodeAccepted,
  decodeAnswer,
  disposeDescriptors,
  encodeConnect,
  Mapping,
  UnixSocket,
} from 'sealane/internal';
import { between, randomFrom, scribble } from './payload.test.helper.js';

const [, , directory = '', node = '', request = '{}', seed = '1'] = process.argv;
const path = Domain.open({ directory }).nodeSocket(node);
const random = randomFrom(Number(seed));
const packet = encodeConnect(JSON.parse(request) as ConnectRequest);
const buffer = new Uint8Array(1_024);

/** The control memory that the publisher hands out; undefined: it refuses for now. */
async function ask(socket: UnixSocket): Promise<Mapping | undefined> {
  socket.send(packet);
  for (;;) {
    const answer = socket.receive(buffer);
    if (answer === 'end') return undefined;
    if (answer !== 'empty') return mapControl(answer.bytes, answer.descriptors);
    await turn();
  }
}

function mapControl(bytes: number, descriptors: readonly number[]): Mapping | undefined {
  try {
    const answer = decodeAnswer(buffer.subarray(0, bytes), decodeAccepted);
    const [, control] = descriptors;
    return answer.type === 'accepted' && control !== undefined
      ? Mapping.shared(control, 0, channelBytes(answer))
      : undefined;
  } finally {
    disposeDescriptors(descriptors);
  }
}

/** Whether the connection still stands. */
function pester(socket: UnixSocket): boolean {
  try {
    if (random() < 0.1) socket.wake();
    if (random() < 0.02) socket.send(new Uint8Array(between(random, 1, 300)));
    return socket.receive(buffer) !== 'end';
  } catch {
    return false;
  }
}

process.once('disconnect', () => process.exit());
for (;;) {
  using socket = UnixSocket.connect(path);
  const control = socket === undefined ? undefined : await ask(socket);
  if (socket === undefined || control === undefined) {
    await turn();
    continue;
  }
  const words = new Int32Array(control.buffer);
  do {
    scribble(random, words);
    await turn();
  } while (pester(socket));
  control.close();
  process.send?.('thrown out');
}
