// A consumer that gets each payload as one message of a zeromq.js socket over a Unix socket, and answers on the same.
import { READY } from './children.js';
import { Pass } from './pass.js';
import { openPair } from './zeromq-library.js';

const pair = openPair();
pair.connect(process.argv[2] ?? '');
process.once('disconnect', () => process.exit(0));
process.send?.(READY);
for (;;) {
  const [payload = new Uint8Array()] = await pair.receive();
  await pair.send(String(new Pass().take(payload)));
}
