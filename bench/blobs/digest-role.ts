// A process that only computes digests, as the broker does it: by read(2), on a thread, on the broker's core.
import { BLOB_SEALS, Memfd, sha256OfDescriptor } from 'sealane/internal';
import { serve } from '../harness/station.js';
import type { Batch } from './put-role.js';

const sources = new Map<number, Uint8Array>();

function sourceOf(size: number): Uint8Array {
  const source = sources.get(size) ?? new Uint8Array(size).fill(0x5a);
  sources.set(size, source);
  return source;
}

/** Microseconds of each digest; every one is that of a memfd that was just written. */
async function digest({ size, count }: Batch): Promise<number[]> {
  const samplesUs: number[] = [];
  for (let index = 0; index < count; index++) {
    using memfd = Memfd.create('digest', size);
    memfd.write(sourceOf(size), 0);
    memfd.seal(BLOB_SEALS);
    const start = performance.now();
    await sha256OfDescriptor(memfd.fd, size);
    samplesUs.push((performance.now() - start) * 1000);
  }
  return samplesUs;
}

serve({ digest });
