// A worker thread of tests. Mode "open": opens the tokens that it is sent. Mode "opening files": opens and closes files all the
// time. Other modes: takes hold of something and stays.
import { openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type BlobToken, connect, DraftPool, isSealaneError, openBlob } from 'sealane';

const { mode, socket } = workerData as { mode: string; socket: string };

/** The folder of the test. */
const folder = dirname(socket ?? '.');

function inspect(token: BlobToken): unknown {
  try {
    using blob = openBlob(token);
    const sum = blob.bytes.reduce((total, byte) => total + byte, 0);
    return { name: blob.name, size: blob.size, kind: blob.metadata.kind, sum };
  } catch (error) {
    return { error: isSealaneError(error) ? error.code : String(error) };
  }
}

/** What is held, so that the collector does not tidy up before the end of the thread does. */
const held: unknown[] = [];

async function hold(): Promise<void> {
  const bus = await connect({ socket });
  const all = mode === 'everything';
  held.push(bus);
  if (all || mode === 'blobs') {
    for (let count = 0; count < 10; count++) {
      const blob = await bus.get('large');
      held.push(blob, blob.bytes, blob.view(4_096, 10));
    }
  }
  if (all || mode === 'drafts') {
    const pool = new DraftPool({ bytes: 65_536, count: 4 });
    held.push(pool, bus.draft(65_536, { pool }), bus.draft(100_000).bytes);
  }
  if (all || mode === 'tokens') for (let count = 0; count < 10; count++) (await bus.get('large')).token();
  if (all || mode === 'waiting')
    held.push(bus.wait('never'), bus.watch('*').next(), bus.watch('never').next());
  if (all || mode === 'copying') {
    const blob = await bus.get('large');
    held.push(
      blob.digest(),
      blob.copyTo(join(folder, 'copy')),
      bus.put(new Uint8Array(8 << 20)),
      blob.stream(),
    );
  }
  if (all || mode === 'pipes') {
    const pipe = join(folder, 'pipe');
    held.push(bus.put(pipe), bus.put({ fd: openSync(pipe, 'r+') }));
  }
}

/** Opens and closes files all the time, several at once. */
async function openFiles(): Promise<void> {
  const bus = await connect({ socket });
  const blob = await bus.get('large');
  const paths = [0, 1, 2, 3].map((index) => join(folder, `copy-${index}`));
  for (let round = 0; ; round++) {
    await Promise.all(paths.map((path) => blob.copyTo(path)));
    const infos = await Promise.all(paths.map((path) => bus.put(path)));
    await Promise.all(infos.map((info) => bus.drop(info)));
    if (round === 0) parentPort?.postMessage('opening');
  }
}

if (mode === 'open') {
  parentPort?.on('message', (token: BlobToken) => parentPort?.postMessage(inspect(token)));
} else if (mode === 'opening files') {
  await openFiles();
} else {
  await hold();
  parentPort?.postMessage('holding');
  setInterval(() => {}, 60_000);
}
