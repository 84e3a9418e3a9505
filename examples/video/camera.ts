/**
 * Publishes frames: raw video from standard input, read by the kernel straight into the samples, or a test pattern of its own. Arguments:
 * width, height, frames a second, and `pattern` for the latter. Ends with its input.
 */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { Node, type Publisher } from 'sealane';
import { closeOnSignal, frameBytes, Reporter, SERVICE, type Shape, toAttributes } from './shape.js';

const [width, height, rate, source] = process.argv.slice(2);
const shape: Shape = { width: Number(width), height: Number(height), rate: Number(rate) };
const bytes = frameBytes(shape);
const reporter = new Reporter('camera');

await using node = await Node.create({ name: 'video camera' });
closeOnSignal(node);
await using service = await node.service(SERVICE).createPublishSubscribe({
  maxBytes: bytes,
  maxSubscribers: 4,
  history: 1,
  attributes: toAttributes(shape),
});
await using publisher = await service.publisher({ prefault: true });

if (source === 'pattern') await publishPattern(publisher);
else await publishInput(publisher);

/** Each read of the pipe lands where it belongs in the loaned sample: there is no buffer in between. */
async function publishInput({ hot }: Publisher): Promise<void> {
  let frame = hot.loan(bytes);
  let filled = 0;
  const options: SocketConstructorOpts & ConnectOpts = {
    fd: 0,
    writable: false,
    onread: {
      buffer: () => frame.bytes.subarray(filled),
      callback: (read) => {
        filled += read;
        if (filled === bytes) {
          frame.send();
          reporter.sent();
          frame = hot.loan(bytes);
          filled = 0;
        }
        return true;
      },
    },
  };
  const input = new Socket(options);
  await new Promise<void>((resolve, reject) => input.once('close', resolve).once('error', reject).resume());
}

/** A bright square that wanders over a gradient. */
async function publishPattern({ hot }: Publisher): Promise<void> {
  const gapMs = 1_000 / shape.rate;
  const fromMs = performance.now();
  for (let count = 0; ; count++) {
    const frame = hot.loan(bytes);
    draw(frame.bytes, count);
    frame.send();
    reporter.sent();
    const aheadMs = fromMs + (count + 1) * gapMs - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, aheadMs)));
  }
}

function draw(target: Uint8Array<ArrayBuffer>, count: number): void {
  const pixels = new Uint32Array(target.buffer, target.byteOffset, shape.width * shape.height);
  const side = Math.ceil(Math.min(shape.width, shape.height) / 4);
  const left = (count * 4) % (shape.width - side);
  const top = (count * 3) % (shape.height - side);
  for (let y = 0; y < shape.height; y++) {
    const line = pixels.subarray(y * shape.width, (y + 1) * shape.width);
    const shade = (y * 200) / shape.height;
    // The least significant byte is red.
    line.fill((0xff000000 | (shade << 16) | (64 << 8) | (200 - shade)) >>> 0);
    if (y >= top && y < top + side) line.fill(0xffffffff, left, left + side);
  }
}
