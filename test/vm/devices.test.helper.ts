// Which devices this machine has, and small things that tests with real buffers share.
import { accessSync, constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { DmaBuf } from 'sealane';
import { Memfd, pageSize, SEAL_SHRINK } from 'sealane/internal';

export const PAGE = pageSize();

/** Why a device can't be used here; undefined: it can. */
function lacks(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return `${path}: ${(error as NodeJS.ErrnoException).code}`;
  }
}

/** A way to have a DMA-BUF made, and why it can't be used here. */
export interface Exporter {
  readonly name: string;
  readonly missing: string | undefined;
  /** `bytes`: whole pages. */
  make(bytes: number): DmaBuf;
}

export const heap: Exporter = {
  name: 'a DMA heap',
  missing: lacks('/dev/dma_heap/system'),
  make: (bytes) => DmaBuf.allocate(bytes),
};

export const udmabuf: Exporter = {
  name: 'udmabuf',
  missing: lacks('/dev/udmabuf'),
  make: (bytes) => {
    using memory = Memfd.create('of udmabuf', bytes);
    memory.seal(SEAL_SHRINK);
    return DmaBuf.fromMemory(memory);
  },
};

export const EXPORTERS: readonly Exporter[] = [heap, udmabuf];

/** Options of node:test that skip with the reason. */
export function needs(exporter: Exporter): { skip: string | false } {
  return { skip: exporter.missing ?? false };
}

/** How many mappings of DMA-BUFs this process has. */
export function mappedBuffers(): number {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.includes('/dmabuf:')).length;
}

/** How many descriptors this process has, but for sockets: those of peers come and go. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => !targetOf(fd).startsWith('socket:')).length;
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor with which the folder was read.
    return '';
  }
}
