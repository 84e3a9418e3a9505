/** Which descriptors a subscriber allows, and the check of those that come. Trusts nothing that a publisher says of them. */
import { describe, invalidArgument, isSealaneError, reworded, type SealaneError } from '../base/errors.js';
import {
  CONTROL_SEALS,
  dmaBufSize,
  inspect,
  isDmaBufInfo,
  isSealedMemory,
  requireMemory,
} from '../os/index.js';

/**
 * `dma-buf`: memory of a device. `sealed-memfd`: memory that its owner can't cut off (seals SHRINK, GROW, SEAL), and that is safe
 * to map. `any`: whatever it is.
 */
export type DescriptorKind = 'dma-buf' | 'sealed-memfd' | 'any';

const KINDS: readonly DescriptorKind[] = ['dma-buf', 'sealed-memfd', 'any'];

/** What a subscriber allows. */
export type AllowedKinds = ReadonlySet<DescriptorKind>;

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless it is a kind, or some. */
export function toAllowedKinds(allow: unknown): AllowedKinds {
  const kinds: readonly unknown[] = Array.isArray(allow) ? allow : [allow];
  const known = kinds.filter((kind): kind is DescriptorKind => KINDS.some((one) => one === kind));
  if (known.length > 0 && known.length === kinds.length) return new Set(known);
  const wrong = kinds.find((kind) => !KINDS.some((one) => one === kind));
  const must = `be ${KINDS.map(describe).join(', ')} or an array of those`;
  throw invalidArgument('options.allow', must, kinds.length === 0 ? kinds : wrong);
}

/**
 * Whether descriptors that came are sealed memory, and that is allowed: the usual case, in fewer system calls. Of others {@link problemOf}
 * says what is wrong with them, if anything is. Borrows them.
 */
export function areAllowedMemory(descriptors: readonly number[], allowed: AllowedKinds): boolean {
  if (!allowed.has('sealed-memfd')) return false;
  for (const fd of descriptors) if (!isSealedMemory(fd, CONTROL_SEALS)) return false;
  return true;
}

/**
 * What is wrong with descriptors that came: ERR_SEALANE_WRONG_DESCRIPTOR, ERR_SEALANE_NOT_SEALED; undefined: each is of a kind that is
 * allowed. Borrows them.
 */
export function problemOf(descriptors: readonly number[], allowed: AllowedKinds): SealaneError | undefined {
  if (allowed.has('any')) return undefined;
  try {
    for (const [index, fd] of descriptors.entries())
      requireKind(fd, allowed, `descriptor ${index} of a frame`);
    return undefined;
  } catch (error) {
    if (!isSealaneError(error)) throw error;
    const sender = `the sender hands over what this subscriber allows (${[...allowed].join(', ')})`;
    return reworded(
      error,
      `${error.message}. Either ${sender}, or the subscriber takes whatever comes (allow: 'any')`,
    );
  }
}

function requireKind(fd: number, allowed: AllowedKinds, name: string): void {
  const info = inspect(fd, name);
  const dmaBufOnly = !allowed.has('sealed-memfd');
  if (allowed.has('dma-buf') && (dmaBufOnly || isDmaBufInfo(info))) dmaBufSize(fd, info, name);
  else requireMemory(info, CONTROL_SEALS, name);
}
