// A client that uses up its descriptors: prints the codes that put and get fail with, then that it works again.
import { closeSync, openSync } from 'node:fs';
import { connect, isSealaneError } from 'sealane';

const [socket = ''] = process.argv.slice(2);
const bus = await connect({ socket });
await bus.put(new Uint8Array(10), { name: 'x' });
const fillers: number[] = [];
try {
  for (;;) fillers.push(openSync('/dev/null', 'r'));
} catch {
  // All descriptors are used up now.
}
for (const [name, call] of [
  ['put', () => bus.put(new Uint8Array(10))],
  ['get', () => bus.get('x')],
] as const) {
  const code = await call().then(
    () => 'ok',
    (error) => (isSealaneError(error) ? error.code : String(error)),
  );
  process.stdout.write(`${name}: ${code}\n`);
}
for (const fd of fillers) closeSync(fd);
using blob = await bus.get('x');
process.stdout.write(`after: ${blob.size === 10 ? 'ok' : 'wrong'}\n`);
await bus.close();
