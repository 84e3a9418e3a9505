/** Copies between two files on another thread. Owns duplicates of both descriptors while it works. */
import { abortedError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { OwnedDescriptor } from './descriptor.js';
import { systemError } from './system-error.js';

/** Bytes of one native call: some 20 ms, so that an abort is soon heard and progress is soon seen. */
const STEP_BYTES = 64 * 1_048_576;

/**
 * Copies up to `length` bytes from `fromOffset` of `from` to `toOffset` of `to`, off the event loop, and stops at the end
 * of `from`. Both must be files with offsets (not pipes or sockets: ESPIPE); both are borrowed, and may be closed while it
 * works. `onProgress` hears the bytes copied so far after every step. Resolves to the bytes copied. Rejects with
 * ERR_SEALANE_ABORTED, ERR_SEALANE_EXHAUSTED or ERR_SEALANE_SYSTEM; what was copied until then stays.
 */
export async function copyRange(
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
  signal?: AbortSignal,
  onProgress?: (bytes: number) => void,
): Promise<number> {
  using source = OwnedDescriptor.duplicate(from);
  using target = OwnedDescriptor.duplicate(to);
  let done = 0;
  while (done < length) {
    if (signal?.aborted) throw abortedError('the copy', signal);
    const wanted = Math.min(STEP_BYTES, length - done);
    const step = await copyStep(source.fd, fromOffset + done, target.fd, toOffset + done, wanted);
    done += step;
    if (step > 0) onProgress?.(done);
    if (step < wanted) break;
  }
  return done;
}

async function copyStep(
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
): Promise<number> {
  try {
    return await addon().copyStep(from, fromOffset, to, toOffset, length);
  } catch (error) {
    throw systemError(error, `copying ${length} bytes`);
  }
}
