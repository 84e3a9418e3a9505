/**
 * The files that the demo delivers: found, named and hashed. Reads them once, which also brings them into the
 * page cache.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { EXIT } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import type { Shipment } from './deliveries.js';

const CHUNK_BYTES = 1_048_576;

/** The files with their digests; `paths` empty: the running Node.js executable. */
export async function prepareShipments(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<(Shipment & { digest: string })[]> {
  const wanted = paths.length > 0 ? paths : [process.execPath];
  const shipments = [];
  for (const [i, path] of wanted.entries()) {
    const size = await sizeOf(path);
    const digest = await digestOfFile(path, size, signal);
    // Two files may share a base name; the number keeps the objects apart.
    shipments.push({ path, size, digest, name: `${i + 1}/${basename(path)}` });
  }
  return shipments;
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : (error.code ?? error.message);
    throw new CommandError(
      error.code ?? 'ERR_SEALANE_SYSTEM',
      EXIT.failure,
      `can't read ${path}: ${reason}`,
      'check the path',
    );
  });
  if (found.isFile() && found.size > 0) return found.size;
  const what = found.isFile() ? 'is empty' : 'is not a regular file';
  throw new CommandError(
    'ERR_SEALANE_CLI_SOURCE',
    EXIT.failure,
    `${path} ${what}`,
    'give files with content, or none for the Node.js executable',
  );
}

async function digestOfFile(path: string, size: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const stream = createReadStream(path, { start: 0, end: size - 1, highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
