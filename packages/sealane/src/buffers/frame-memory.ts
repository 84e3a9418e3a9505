/**
 * What the kernel says of the memory behind the descriptors of frames. Owns nothing: descriptors are borrowed. Trusts nobody: what could shrink
 * under whoever maps it counts as no memory.
 */
import { checkInteger } from '../base/check.js';
import { isSealaneError } from '../base/errors.js';
import { dmaBufSize, inspect, isDmaBufInfo, type Mappable, requireMemory, SEAL_SHRINK } from '../os/index.js';

/** Whatever has descriptors, as long as it has them. */
interface Holder {
  /** Throws ERR_SEALANE_CLOSED afterwards. */
  readonly descriptors: readonly number[];
}

/** Bytes behind each: of a DMA-BUF, and of memory that can't shrink; 0 for all else. Throws ERR_SEALANE_SYSTEM. */
export function sizesOf(descriptors: readonly number[]): readonly number[] {
  return Object.freeze(descriptors.map((fd, index) => sizeOf(fd, index)));
}

function sizeOf(fd: number, index: number): number {
  try {
    return memoryOf(fd, index).size;
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_WRONG_DESCRIPTOR')) return 0;
    if (isSealaneError(error, 'ERR_SEALANE_NOT_SEALED')) return 0;
    throw error;
  }
}

/** Throws ERR_SEALANE_WRONG_DESCRIPTOR (neither memory nor a DMA-BUF), ERR_SEALANE_NOT_SEALED (it can shrink), ERR_SEALANE_SYSTEM. */
function memoryOf(fd: number, index: number): { readonly size: number; readonly seals: number } {
  const name = `descriptor ${index} of a frame`;
  const info = inspect(fd, name);
  if (isDmaBufInfo(info)) return { size: dmaBufSize(fd, info, name), seals: 0 };
  requireMemory(info, SEAL_SHRINK, name);
  return info;
}

/** One descriptor of a frame as an object that can be mapped. It borrows the descriptor for as long as the frame has it. */
export class FrameObject implements Mappable {
  readonly size: number;
  readonly seals: number;
  readonly #frame: Holder;
  readonly #index: number;

  /** Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED, ERR_SEALANE_SYSTEM, and as the frame. */
  constructor(frame: Holder, index: number) {
    const { descriptors } = frame;
    checkInteger('index', index, 0, descriptors.length - 1);
    const { size, seals } = memoryOf(descriptors[index] as number, index);
    this.size = size;
    this.seals = seals;
    this.#frame = frame;
    this.#index = index;
  }

  get descriptor(): number {
    return this.#frame.descriptors[this.#index] as number;
  }
}
