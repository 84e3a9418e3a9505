/**
 * One memory of a publisher, cut into slots of one size. A publisher that does not grow has one for all its life. Owns the memory, the
 * record of who needs which slot, and the objects of the loans.
 */
import { type PageOptions, POOL_SEALS, SharedMemory } from '../../os/index.js';
import { SlotPool } from '../../shm/slot-pool.js';
import { memoryBytes, SLOT_BITS, SlotMemory, type SlotShape } from '../pairs/slots.js';
import { HotLoan, type Lender } from './loan.js';

/** A publisher's slots of one size. */
export class Segment implements Disposable {
  /** Its number, by which the cells of the rings name it. */
  readonly id: number;
  /** The cell of its first slot. */
  readonly base: number;
  readonly memory: SlotMemory;
  readonly pool: SlotPool;
  readonly #shared: SharedMemory;
  /** Those that were made, by their slots. */
  readonly loans: (HotLoan | undefined)[] = [];

  /** `warm`: see {@link SlotPool}. Throws ERR_SEALANE_EXHAUSTED, ERR_SEALANE_LIMIT_EXCEEDED for what one ArrayBuffer does not hold. */
  constructor(id: number, shape: SlotShape, pages: PageOptions, warm: number) {
    this.id = id;
    this.base = id << SLOT_BITS;
    this.#shared = SharedMemory.create('sealane-samples', memoryBytes(shape), POOL_SEALS, pages);
    try {
      this.memory = new SlotMemory(this.#shared.buffer, shape);
    } catch (error) {
      this.#shared.close();
      throw error;
    }
    this.pool = new SlotPool(shape.slots, warm);
  }

  /** Room for one payload, in bytes. */
  get maxBytes(): number {
    return this.memory.shape.maxBytes;
  }

  /** Bytes of the memory. */
  get bytes(): number {
    return this.#shared.mapping.length;
  }

  /** The descriptor of the memory, borrowed. */
  get descriptor(): number {
    return this.#shared.descriptor;
  }

  /** The loans that are not sent or released. */
  openLoans(): HotLoan[] {
    return this.loans.filter((loan): loan is HotLoan => loan?.onLoan === true);
  }

  /** The loan of a slot that has none yet: the same object from then on. */
  makeLoan(slot: number, lender: Lender): HotLoan {
    const loan = new HotLoan(lender, this, slot);
    while (this.loans.length < slot) this.loans.push(undefined);
    this.loans[slot] = loan;
    return loan;
  }

  /** Subscribers keep what they have mapped. Idempotent. */
  close(): void {
    this.#shared.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
