/**
 * A publisher, as its user sees it: the checked tier, and the way to the hot one. Owns its port, its memory and its file in the service.
 */

import { checkBoolean, checkInteger, checkOptions } from '../../base/check.js';
import { describe, invalidArgument } from '../../base/errors.js';
import { CELL_MAX_LIVE_SEGMENTS } from '../../shm/layout.js';
import type { ServiceSettings } from '../domain/settings.js';
import { Notifier } from '../events/notifier.js';
import type { PortAddress } from '../pairs/address.js';
import { untilConnected } from '../pairs/connected.js';
import type { Doorbell } from '../pairs/doorbell.js';
import { CheckedLoan, ForgottenWatch } from './checked.js';
import { checkWhenFull, type FullAction, type FullHandler } from './full.js';
import { type GrowthStrategy, STRATEGIES } from './growth.js';
import type { Loan } from './loan.js';
import type { PublisherPort } from './publisher-port.js';

/** What a publisher chooses for itself. */
export interface PublisherOptions {
  /**
   * Most bytes of one of its samples. Default and limit: the service's `maxBytes`. A lower one makes its memory smaller; where samples are
   * of a fixed size there is none.
   */
  readonly maxBytes?: number | undefined;
  /**
   * Where memory grows: room for one payload in the first segment, in bytes. Default: 4,096, or `maxBytes` if that is less; 1 to
   * `maxBytes`.
   */
  readonly initialBytes?: number | undefined;
  /** Where memory grows: how large the next segment is. Default: 'powerOfTwo'. See {@link GrowthStrategy}. */
  readonly strategy?: GrowthStrategy | undefined;
  /**
   * Where memory grows: segments that it has at a time, 1 to 64. Default: 8. The last of them has room for `maxBytes`. Each subscriber maps
   * them all.
   */
  readonly maxSegments?: number | undefined;
  /** Samples that it may have on loan at once. Default and limit: the service's `maxLoaned`. */
  readonly maxLoaned?: number | undefined;
  /**
   * What happens when a subscriber's buffer is full, in a service without `overflow`: 'wait' until there is room (the thread blocks in
   * `send`, the event loop goes on in `sendAsync`), 'drop' the sample for this subscriber, 'fail', or a function that decides each time.
   * Default: 'wait'.
   */
  readonly whenFull?: FullAction | FullHandler | undefined;
  /** Whether subscribers in this very process get its samples. Default: true. */
  readonly ownProcess?: boolean | undefined;
  /** Whether samples carry the time at which they were sent (some 50 ns each). Default: true. */
  readonly timestamps?: boolean | undefined;
  /** Allocates all of its memory at once, so that no sample waits for a page; where it grows, a segment at a time. Default: false. */
  readonly prefault?: boolean | undefined;
  /** Keeps its memory from being swapped out (mlock); counts against RLIMIT_MEMLOCK. Default: false. */
  readonly lock?: boolean | undefined;
  /** Asks for huge pages, and does without where the kernel has none. Default: false. */
  readonly hugePages?: boolean | undefined;
  /** Notifies this id, or the notifier's own, after each sample that was sent, unless the notifier is closed by then. Default: none. */
  readonly notifies?: { readonly notifier: Notifier; readonly id?: number | undefined } | undefined;
}

/** A publisher's choices, complete. */
export type PublisherSettings = Required<{
  [K in keyof Omit<PublisherOptions, 'notifies'>]: NonNullable<PublisherOptions[K]>;
}> & {
  /** Notifies that a sample was sent. */
  readonly onSent: (() => void) | undefined;
};

type Growth = Pick<PublisherSettings, 'maxBytes' | 'initialBytes' | 'strategy' | 'maxSegments'>;

/** Sends samples that are filled in place. */
export interface SampleSender {
  /**
   * Loans a sample with a payload of that many bytes (0 to `maxBytes`; where samples are of a fixed size, exactly `maxBytes`, which need
   * not be said). Fill it, then send() it. Throws ERR_SEALANE_INVALID_ARGUMENT (also: more than `maxBytes`), ERR_SEALANE_LIMIT_EXCEEDED (`maxLoaned` are on loan;
   * memory that grows has `maxSegments` in use, or one ArrayBuffer does not hold the next), ERR_SEALANE_EXHAUSTED (there is no memory to
   * grow), ERR_SEALANE_CLOSED.
   */
  loan(bytes?: number): Loan;
}

/** What a publisher has done so far. */
export interface PublisherFigures {
  /** Samples that were sent. */
  readonly sent: number;
  /** Samples that are on loan now. */
  readonly loaned: number;
  /** Slots that somebody needs now: on loan, in the history, or with a subscriber. */
  readonly usedSlots: number;
  /** All slots of one segment: more are never needed at a time. */
  readonly slots: number;
  /** Segments of its memory: 1 unless it grows. */
  readonly segments: number;
  /** Room for one payload in the newest of them, in bytes. */
  readonly roomBytes: number;
  /** Bytes of addresses that its memory takes: all slots of all segments. Pages that were never used are not allocated. */
  readonly memoryBytes: number;
  /** The subscribers that are connected now. */
  readonly subscribers: readonly SubscriberFigures[];
}

/** One subscriber, seen from a publisher. */
export interface SubscriberFigures extends PortAddress {
  /** Slots that it has: waiting, borrowed, or on their way back. */
  readonly held: number;
  /** Samples that it did not get: they gave way to newer ones, or were dropped. */
  readonly lost: number;
}

/** All that a publisher may be told. @internal */
export const PUBLISHER_OPTIONS = [
  'maxBytes',
  'maxLoaned',
  'whenFull',
  'ownProcess',
  'timestamps',
  'prefault',
  'lock',
  'hugePages',
  'initialBytes',
  'strategy',
  'maxSegments',
  'notifies',
] as const;

/** Those that are true or false. */
const FLAGS = ['ownProcess', 'timestamps', 'prefault', 'lock', 'hugePages'] as const;

/** Those that make sense only where memory grows. */
const GROWTH_OPTIONS = ['initialBytes', 'strategy', 'maxSegments'] as const;

/** Room in the first segment, in bytes, unless told otherwise: a page. */
const INITIAL_BYTES = 4_096;

const MAX_SEGMENTS = 8;

/** Checks options against the service's settings. Throws ERR_SEALANE_INVALID_ARGUMENT. @internal */
export function toPublisherSettings(options: PublisherOptions, service: ServiceSettings): PublisherSettings {
  checkOptions('options', options, PUBLISHER_OPTIONS);
  const { maxBytes = service.maxBytes, maxLoaned = service.maxLoaned, whenFull = 'wait' } = options;
  checkInteger('options.maxBytes', maxBytes, 1, service.maxBytes);
  checkInteger('options.maxLoaned', maxLoaned, 1, service.maxLoaned);
  checkWhenFull(whenFull);
  if (service.payload === 'fixed' && maxBytes !== service.maxBytes)
    throw invalidArgument('options.maxBytes', `be ${service.maxBytes}, the size of all samples`, maxBytes);
  for (const name of FLAGS) checkBoolean(`options.${name}`, options[name]);
  const { ownProcess = true, timestamps = true, prefault = false, lock = false, hugePages = false } = options;
  const growth = toGrowth(options, service, maxBytes);
  const onSent = toNotification(options.notifies);
  return { ...growth, maxLoaned, whenFull, ownProcess, timestamps, prefault, lock, hugePages, onSent };
}

/** How the memory begins and grows: not at all, unless the service says so. */
function toGrowth(options: PublisherOptions, { payload }: ServiceSettings, maxBytes: number): Growth {
  if (payload !== 'growing') {
    const odd = GROWTH_OPTIONS.find((name) => options[name] !== undefined);
    if (odd !== undefined)
      throw invalidArgument(
        `options.${odd}`,
        `be left out: the service's payload is ${payload}`,
        options[odd],
      );
    return { maxBytes, initialBytes: maxBytes, strategy: 'static', maxSegments: 1 };
  }
  const { initialBytes = Math.min(maxBytes, INITIAL_BYTES), strategy = 'powerOfTwo' } = options;
  const { maxSegments = MAX_SEGMENTS } = options;
  checkInteger('options.initialBytes', initialBytes, 1, maxBytes);
  checkInteger('options.maxSegments', maxSegments, 1, CELL_MAX_LIVE_SEGMENTS);
  if (!STRATEGIES.includes(strategy))
    throw invalidArgument('options.strategy', `be one of ${STRATEGIES.map(describe).join(', ')}`, strategy);
  if (strategy === 'static') return { maxBytes: initialBytes, initialBytes, strategy, maxSegments: 1 };
  return { maxBytes, initialBytes, strategy, maxSegments };
}

function toNotification(notifies: PublisherOptions['notifies']): (() => void) | undefined {
  if (notifies === undefined) return undefined;
  checkOptions('options.notifies', notifies, ['notifier', 'id']);
  const { notifier } = notifies;
  if (!(notifier instanceof Notifier))
    throw invalidArgument('options.notifies.notifier', 'be a notifier', notifier);
  const { id = notifier.id } = notifies;
  notifier.checkId('options.notifies.id', id);
  return () => {
    if (!notifier.closed) notifier.notify(id);
  };
}

/** Sends samples to all subscribers of a service. Made by {@link PubSubService.publisher}. */
export class Publisher implements SampleSender, AsyncDisposable, Disposable {
  /** Its number within its node. */
  readonly port: number;
  /**
   * The hot tier: the same calls on objects that are used again for the next sample, which allocates nothing. Never touch such an object
   * once it was sent or released: it may be another sample by then.
   */
  readonly hot: SampleSender;
  readonly #port: PublisherPort;
  readonly #bell: Doorbell;
  readonly #forgotten = new ForgottenWatch();
  readonly #onClose: () => void;
  #closed = false;

  /** @internal */
  constructor(number: number, port: PublisherPort, bell: Doorbell, onClose: () => void) {
    this.port = number;
    this.hot = port;
    this.#port = port;
    this.#bell = bell;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** See {@link SampleSender.loan}. The garbage collector gives back what is forgotten, with a warning. */
  loan(bytes?: number): Loan {
    // Also when this fails: who forgot all that it may loan gets it back.
    this.#forgotten.settle();
    const loan = new CheckedLoan(this.#port.loanSlot(bytes));
    this.#forgotten.keep(loan);
    return loan;
  }

  /** Sends a copy of `bytes`; returns how many subscribers got it. Throws what loan and send throw. */
  sendCopy(bytes: Uint8Array): number {
    if (!(bytes instanceof Uint8Array)) throw invalidArgument('bytes', 'be a Uint8Array', bytes);
    if (bytes.length === 0 && isDetached(bytes))
      throw invalidArgument('bytes', 'not be detached: it was transferred, or its sample has ended', bytes);
    const loan = this.#port.loanSlot(bytes.length);
    try {
      loan.bytes.set(bytes);
      return loan.send();
    } finally {
      loan.release();
    }
  }

  /** What it has done so far. */
  get figures(): PublisherFigures {
    const { segments, outlets, sent, loaned } = this.#port;
    return {
      sent,
      loaned,
      usedSlots: segments.used,
      slots: segments.newest.pool.slots,
      segments: segments.live.length,
      roomBytes: segments.newest.maxBytes,
      memoryBytes: segments.bytes,
      subscribers: outlets.map(({ peer, held, lost }) => ({ ...peer, held, lost })),
    };
  }

  /** Resolves once at least `count` subscribers are connected. Rejects with ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED. */
  async connected(count = 1, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await untilConnected(count, options, {
      peers: () => (this.#closed ? undefined : this.#port.outlets.length),
      changed: (signal) => this.#bell.wait(signal, 'waiting for subscribers'),
    });
  }

  /** Ends all its connections. Subscribers still get what was sent, and keep what they borrowed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.#port.close();
    this.#bell.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** A view of a detached buffer has no bytes, as an empty one has: only the attempt to make another tells them apart. */
function isDetached({ buffer }: Uint8Array): boolean {
  try {
    new Uint8Array(buffer, 0, 0);
    return false;
  } catch {
    return true;
  }
}
