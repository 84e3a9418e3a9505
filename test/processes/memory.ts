// A client that runs out of addresses and of room in files: says "ready", waits for a line, then prints what its calls fail with.
import { once } from 'node:events';
import { connect, isSealaneError } from 'sealane';

const [socket = ''] = process.argv.slice(2);
const bus = await connect({ socket });
const large = await bus.get('large');
process.stdout.write('ready\n');
await once(process.stdin, 'data');

async function report(name: string, call: () => unknown): Promise<void> {
  try {
    await call();
    process.stdout.write(`${name}: ok\n`);
  } catch (error) {
    process.stdout.write(`${name}: ${isSealaneError(error) ? error.code : String(error)}\n`);
  }
}

await report('map all', () => large.view(0, large.size));
await report('map a part', () => large.view(4_096, 100)[0]);
await report('put too much', () => bus.put(new Uint8Array(4 << 20)));
await report('draft too much', () => bus.draft(4 << 20));
await report('put little', () => bus.put(new Uint8Array(1_000), { name: 'little' }));
process.exit(0);
