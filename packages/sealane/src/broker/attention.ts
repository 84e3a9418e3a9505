/**
 * What a connection gets of the broker's time: it is sent to and read from in its own turns, and pays for what its messages cost.
 * Owns nothing but the account; the link is the session's.
 */
import { SealaneError } from '../base/errors.js';
import type { Link } from '../link/index.js';
import type { PeerCredentials } from '../os/unix-socket.js';
import { type Budget, type Chore, type FairWork, WorkLane } from './work.js';

/** What a message costs at least, sent or received, in units of work.ts: two system calls, a codec, an object. */
const MESSAGE_UNITS = 100;

/** What a descriptor costs, sent or received: it is looked at, counted by the kernel, duplicated or closed. */
const DESCRIPTOR_UNITS = 100;

/** Bytes of a message for one unit more: they are copied, decoded and hashed. */
const BYTES_PER_UNIT = 64;

export class Attention implements Chore {
  readonly #lane: WorkLane;
  #spent = 0;

  /** `link` is asked for when the first turn comes. */
  constructor(
    { uid, pid }: PeerCredentials,
    private readonly turns: FairWork,
    private readonly link: () => Link,
  ) {
    this.#lane = new WorkLane(uid, pid);
  }

  /** Something can be sent or received. */
  ask(): void {
    this.turns.add(this.#lane, this);
  }

  /** Does something once what was asked before is done. */
  askBehind(act: () => void): void {
    const work = (): boolean => {
      act();
      return true;
    };
    this.turns.add(this.#lane, { work, abandon: act });
  }

  /** Counts what a request costs beyond a plain one, in units of work.ts. */
  spend(units: number): void {
    this.#spent += units;
  }

  spendOnDescriptors(count: number): void {
    this.#spent += count * DESCRIPTOR_UNITS;
  }

  work(budget: Budget): boolean {
    const link = this.link();
    while (budget.units > 0) {
      const bytes = link.advance();
      if (bytes === undefined) return true;
      budget.units -= MESSAGE_UNITS + Math.floor(bytes / BYTES_PER_UNIT) + this.#spent;
      this.#spent = 0;
    }
    return false;
  }

  abandon(error: unknown): void {
    const text = `a connection failed unexpectedly: ${String(error)}`;
    this.link().close(new SealaneError('ERR_SEALANE_INTERNAL', text, { cause: error }));
  }
}
