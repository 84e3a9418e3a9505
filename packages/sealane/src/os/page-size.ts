/** The size of a page of memory on this machine. Owns nothing. */
import { SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';

let known: number | undefined;

/** Bytes of a page: 4,096 on x86-64, up to 65,536 on arm64. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM. */
export function pageSize(): number {
  if (known === undefined) {
    const native = addon();
    native.readLimits();
    known = native.scratch[2] as number;
  }
  return known;
}

/** Throws ERR_SEALANE_MISALIGNED unless `value`, in bytes, is whole pages. */
export function requirePages(name: string, value: number): void {
  if (value % pageSize() === 0) return;
  const message = `${name} is ${value}, not a multiple of the page size ${pageSize()}`;
  throw new SealaneError('ERR_SEALANE_MISALIGNED', message);
}
