/**
 * What the processor sees of the descriptors of frames. Owns the mapping of one descriptor. Trusts nobody: what could shrink under a reader is
 * not mapped, and a write from here reaches nobody else.
 */
import { checkInteger } from '../base/check.js';
import {
  CONTROL_SEALS,
  DmaBuf,
  duplicate,
  guardedWrites,
  inspect,
  isDmaBufInfo,
  Mapping,
  requireMemory,
} from '../os/index.js';

/** A look at the bytes of one descriptor of a frame, from `frame.read()` until its end or the frame's. */
export interface FrameBytes extends Disposable {
  /**
   * All that the descriptor has, as the kernel says; the metadata says where planes lie in it. Not for writing: nobody else sees a write
   * into memory, and one into a DMA-BUF kills the process (SIGSEGV).
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Ends the look; devices may write into a DMA-BUF from then on. Throws ERR_SEALANE_SYSTEM. Idempotent. */
  end(): void;
}

/** The views of the descriptors of a frame, or of a buffer of a pool for all its frames: made when they are first looked at. Owns them. */
export class DescriptorViews {
  readonly #lasting: boolean;
  #views: (DescriptorView | undefined)[] = [];

  /** `lasting`: they show one frame after another. */
  constructor(lasting: boolean) {
    this.#lasting = lasting;
  }

  /** A look at one of the descriptors, which are borrowed. Throws ERR_SEALANE_INVALID_ARGUMENT, and as {@link viewOf}. */
  look(descriptors: readonly number[], index: number): FrameBytes {
    checkInteger('index', index, 0, descriptors.length - 1);
    const view =
      this.#views[index] ??
      viewOf(descriptors[index] as number, `descriptor ${index} of a frame`, this.#lasting);
    while (this.#views.length < index) this.#views.push(undefined);
    this.#views[index] = view;
    return view.look();
  }

  /** A frame is over: its looks are. */
  endLooks(): void {
    for (const view of this.#views) view?.endLooks();
  }

  /** What was shown is empty from now on. Idempotent. */
  close(): void {
    for (const view of this.#views.splice(0)) view?.close();
  }

  /** The frame was forgotten: what somebody still has of it stays as it is, until that is collected. */
  forget(): void {
    for (const view of this.#views.splice(0)) view?.forget();
  }
}

/** A mapping of one descriptor, for one frame or for all frames in a buffer of a pool. */
interface DescriptorView {
  look(): FrameBytes;
  /** Ends the looks that are open. */
  endLooks(): void;
  /** Ends all: what it showed is empty from now on. Idempotent. */
  close(): void;
  /** Gives back what the garbage collector does not. */
  forget(): void;
}

/**
 * Maps a descriptor, which is borrowed for the call. `lasting`: it will show one frame after another. Throws ERR_SEALANE_WRONG_DESCRIPTOR
 * (neither a memfd nor a DMA-BUF), ERR_SEALANE_NOT_SEALED (a memfd that can shrink), ERR_SEALANE_SYSTEM (the processor can't map what a device
 * has; it was opened for writing only), ERR_SEALANE_EXHAUSTED, ERR_SEALANE_LIMIT_EXCEEDED.
 */
function viewOf(fd: number, name: string, lasting: boolean): DescriptorView {
  const info = inspect(fd, name);
  if (isDmaBufInfo(info)) return DeviceView.of(fd);
  requireMemory(info, CONTROL_SEALS, name);
  return MemoryView.of(fd, info.size, lasting);
}

class MemoryView implements DescriptorView {
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Writes that were seen; undefined: a write stays in this mapping, which serves one frame only. */
  #writesSeen: number | undefined;

  private constructor(mapping: Mapping, guarded: boolean) {
    this.#mapping = mapping;
    this.#bytes = new Uint8Array(mapping.buffer);
    if (guarded) this.#writesSeen = guardedWrites()[0];
  }

  static of(fd: number, size: number, lasting: boolean): MemoryView {
    const guarded = lasting && size > 0;
    const mapping = guarded ? Mapping.guarded(fd, size, size) : Mapping.private(fd, 0, size);
    try {
      return new MemoryView(mapping, guarded);
    } catch (error) {
      mapping.close();
      throw error;
    }
  }

  look(): FrameBytes {
    if (this.#writesSeen !== undefined && this.#writesSeen !== guardedWrites()[0]) this.#restore();
    return new Look(this.#bytes);
  }

  endLooks(): void {}

  close(): void {
    this.#mapping.close();
  }

  forget(): void {}

  #restore(): void {
    // Before the restoring: what another thread writes meanwhile is found the next time.
    this.#writesSeen = guardedWrites()[0];
    this.#mapping.restore();
  }
}

class DeviceView implements DescriptorView {
  readonly #buffer: DmaBuf;
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #open = new Set<FrameBytes>();

  private constructor(buffer: DmaBuf, mapping: Mapping) {
    this.#buffer = buffer;
    this.#mapping = mapping;
    this.#bytes = new Uint8Array(mapping.buffer);
  }

  static of(fd: number): DeviceView {
    const buffer = DmaBuf.take(duplicate(fd));
    let mapping: Mapping | undefined;
    try {
      mapping = buffer.map('read');
      return new DeviceView(buffer, mapping);
    } catch (error) {
      mapping?.close();
      buffer.close();
      throw error;
    }
  }

  look(): FrameBytes {
    const access = this.#buffer.cpuAccess('read');
    const look = new Look(this.#bytes, () => {
      this.#open.delete(look);
      access.end();
    });
    this.#open.add(look);
    return look;
  }

  endLooks(): void {
    for (const look of this.#open) look.end();
  }

  close(): void {
    this.#open.clear();
    this.#mapping.close();
    this.#buffer.close();
  }

  forget(): void {
    this.#open.clear();
    this.#buffer.close();
  }
}

class Look implements FrameBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #finish: (() => void) | undefined;

  constructor(bytes: Uint8Array<ArrayBuffer>, finish?: () => void) {
    this.bytes = bytes;
    this.#finish = finish;
  }

  end(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.();
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
