/**
 * Whether what is said of a frame fits the descriptors that came with it. Pure. Trusts neither: the sender said the one, and made the other.
 */
import { checkOptions, checkRecord } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { fourccName } from './formats.js';
import type { FrameMetadata, FramePlane } from './frame-metadata.js';

/** Whatever says how many bytes are behind each descriptor of a frame: the frame itself, or numbers. */
export type FrameSizes = readonly number[] | { readonly sizes: readonly number[] };

/**
 * Throws unless each plane lies inside of its descriptor, and the fences are descriptors beside them: to be asked by whoever receives a frame, before
 * its pixels are looked at. `behind`: the frame that was received; or bytes behind each of its descriptors, as the kernel says, of a fence 0.
 * Throws ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_SIZE_MISMATCH, ERR_SEALANE_INVALID_ARGUMENT.
 */
export function requireFrameFits(meta: FrameMetadata, behind: FrameSizes): void {
  checkRecord('meta', meta);
  const { planes, fences, fourcc } = meta;
  if (!Array.isArray(planes)) throw invalidArgument('meta.planes', 'be an array', planes);
  checkOptions('meta.fences', fences, ['acquire', 'release']);
  const sizes = Array.isArray(behind) ? behind : (behind as { readonly sizes?: unknown } | undefined)?.sizes;
  checkSizes(sizes);
  for (let index = 0; index < planes.length; index++) requirePlaneFits(planes[index], index, sizes, fourcc);
  requireCame('the acquire fence', fences.acquire, sizes);
  requireCame('the release fence', fences.release, sizes);
}

/** Bytes, or the number of a byte. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function checkSizes(sizes: unknown): asserts sizes is readonly number[] {
  if (!Array.isArray(sizes))
    throw invalidArgument('sizes', 'be a frame, or an array of sizes in bytes', sizes);
  const wrong = sizes.findIndex((size) => !isCount(size));
  if (wrong >= 0) throw invalidArgument(`sizes[${wrong}]`, 'be an integer of bytes, 0 or more', sizes[wrong]);
}

function requirePlaneFits(plane: FramePlane, index: number, sizes: readonly number[], fourcc: number): void {
  checkRecord('a plane', plane);
  const { descriptor, offset, bytes } = plane;
  if (!(isCount(descriptor) && isCount(offset) && isCount(bytes)))
    throw invalidArgument(`meta.planes[${index}]`, 'be a plane of integers, 0 or more', plane);
  requireCame(`plane ${index}`, descriptor, sizes);
  const size = sizes[descriptor] as number;
  if (bytes <= size - offset) return;
  const message = `plane ${index} of a frame (${fourccName(fourcc)}) takes ${bytes} bytes at ${offset} of descriptor ${descriptor}, which has ${size}`;
  throw new SealaneError('ERR_SEALANE_SIZE_MISMATCH', message);
}

function requireCame(what: string, descriptor: number | undefined, { length }: readonly number[]): void {
  if (descriptor === undefined || (isCount(descriptor) && descriptor < length)) return;
  const message = `${what} of a frame is descriptor ${descriptor}, and ${length} came with it`;
  throw new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', message);
}
