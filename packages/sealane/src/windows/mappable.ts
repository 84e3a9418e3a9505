/**
 * What may be mapped into a window, and how. Owns nothing. Trusts nothing that an object says of itself but its descriptor: kind, size and
 * seals are asked of the kernel.
 */
import { checkDescriptor, checkRecord } from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import type { RangeAccess } from '../os/address-range.js';
import { inspect, isDmaBufInfo, kindOf, requireMemory, SEAL_SHRINK, SEAL_WRITE } from '../os/descriptor.js';
import { dmaBufSize } from '../os/dma-buf.js';

/** What is behind the descriptor of an object that may be mapped. */
export interface Source {
  readonly fd: number;
  readonly kind: 'memory' | 'dma-buf';
  /** Bytes, as the kernel says. */
  readonly size: number;
  /** Whether it is sealed against writing. */
  readonly immutable: boolean;
  /** For errors. */
  readonly what: string;
}

/** The descriptor of an object that is to be mapped. Throws ERR_SEALANE_INVALID_ARGUMENT for what has none. */
export function descriptorOf(object: unknown): number {
  checkRecord('object', object);
  const { descriptor } = object;
  checkDescriptor('object.descriptor', descriptor);
  return descriptor;
}

/**
 * Looks at a descriptor. Throws ERR_SEALANE_WRONG_DESCRIPTOR for what is neither a memfd nor a DMA-BUF, ERR_SEALANE_NOT_SEALED for a memfd
 * that can shrink: to touch it beyond its end would kill the process.
 */
export function inspectSource(descriptor: number): Source {
  const name = `descriptor ${descriptor}`;
  const info = inspect(descriptor, name);
  const what = `${kindOf(info)} (${name})`;
  if (isDmaBufInfo(info)) {
    const size = dmaBufSize(descriptor, info, name);
    return { fd: descriptor, kind: 'dma-buf', size, immutable: false, what };
  }
  requireMemory(info, SEAL_SHRINK, name);
  const immutable = (info.seals & SEAL_WRITE) !== 0;
  return { fd: descriptor, kind: 'memory', size: info.size, immutable, what };
}

const ACCESSES: readonly unknown[] = ['private', 'read', 'read-write'];

/** How the source is mapped: as is asked for, or as is usual for its kind. Throws ERR_SEALANE_INVALID_ARGUMENT. */
export function chooseAccess(access: unknown, source: Source, inGuest: boolean): RangeAccess {
  const chosen = access === undefined ? usualAccess(source) : access;
  if (!ACCESSES.includes(chosen))
    throw invalidArgument('access', "be 'private', 'read' or 'read-write'", access);
  if (chosen === 'private' && source.kind === 'dma-buf') {
    throw invalidArgument(
      'access',
      "be 'read' or 'read-write' for a DMA-BUF, which has no private copies",
      access,
    );
  }
  if (chosen === 'read' && inGuest) {
    const why =
      'in the memory of a WebAssembly guest: memory.grow makes every page of it writable, or aborts the process';
    throw invalidArgument('access', `not be 'read' ${why}`, access);
  }
  return chosen as RangeAccess;
}

/** Memory is safe from writes by private copies; a DMA-BUF can only be shared. */
function usualAccess(source: Source): RangeAccess {
  return source.kind === 'memory' ? 'private' : 'read-write';
}
