/** Which parts of a window are taken, and by what. Owns the list; maps nothing. */
import { SealaneError } from '../base/errors.js';
import type { RangeAccess } from '../os/address-range.js';

/** Something that is mapped into a window. Lengths in bytes. */
export interface WindowMapping {
  /** Where it begins in the window. */
  readonly offset: number;
  /** How much of the object is mapped. */
  readonly bytes: number;
  /** How much of the window it takes: `bytes`, rounded up to whole pages. What is behind the object's end reads as zeros. */
  readonly span: number;
  /** Where in the object it begins. */
  readonly objectOffset: number;
  readonly access: RangeAccess;
  readonly kind: 'memory' | 'dma-buf';
}

/** The mappings of a window, by where they begin. */
export class Placement {
  /** In the order of their offsets; none overlaps another. */
  readonly #mappings: WindowMapping[] = [];

  /** All of them, in the order of their offsets. */
  list(): WindowMapping[] {
    return [...this.#mappings];
  }

  /** The one that begins there. */
  at(offset: number): WindowMapping | undefined {
    const mapping = this.#mappings[this.#indexOf(offset)];
    return mapping?.offset === offset ? mapping : undefined;
  }

  /** Throws ERR_SEALANE_OVERLAP unless nothing is mapped from `offset` on for `span` bytes. */
  requireFree(offset: number, span: number): void {
    const index = this.#indexOf(offset);
    for (const other of [this.#mappings[index - 1], this.#mappings[index]]) {
      if (other === undefined || !overlaps(offset, span, other.offset, other.span)) continue;
      const message = `${span} bytes at ${offset} overlap the ${other.span} that are mapped at ${other.offset}: unmap those first`;
      throw new SealaneError('ERR_SEALANE_OVERLAP', message);
    }
  }

  add(mapping: WindowMapping): void {
    this.#mappings.splice(this.#indexOf(mapping.offset), 0, mapping);
  }

  remove(mapping: WindowMapping): void {
    this.#mappings.splice(this.#mappings.indexOf(mapping), 1);
  }

  clear(): void {
    this.#mappings.length = 0;
  }

  /** Of the first that begins at `offset` or later. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#mappings[middle]?.offset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether two ranges have an address in common. */
export function overlaps(offset: number, bytes: number, other: number, otherBytes: number): boolean {
  return offset < other + otherBytes && other < offset + bytes;
}
