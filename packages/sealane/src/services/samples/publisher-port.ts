/**
 * A publisher's port: loans slots and sends them to all its subscribers. Owns its slots and the ends of its pairs. This is the hot tier:
 * loan and send allocate nothing once every slot was used, and enter the kernel only to wake a sleeper.
 */
import { abortedError, closedError, SealaneError } from '../../base/errors.js';
import { stampMonotonic } from '../../os/index.js';
import type { PortFigures } from '../../shm/figures.js';
import { NONE } from '../../shm/outcome.js';
import type { SlotPool } from '../../shm/slot-pool.js';
import { Doorbell } from '../pairs/doorbell.js';
import { SEQUENCE, SLOT_MASK, TIMESTAMP } from '../pairs/slots.js';
import { fullError, stillWaits, waitsForItself } from './full.js';
import { History } from './history.js';
import { checkPayload, type HotLoan, type Lender, type Loan, notOnLoan, tooManyLoans } from './loan.js';
import type { Outlet } from './outlet.js';
import { PublisherTold } from './publisher-figures.js';
import { Retirement } from './retirement.js';
import { Returns } from './returns.js';
import { Room, type RoomOptions } from './room.js';
import type { Segment } from './segment.js';
import type { Segments } from './segments.js';

/** What a port needs to know. Everything was checked. */
export interface PublisherPortOptions extends RoomOptions {
  /** Taken. */
  readonly segments: Segments;
  /** Bytes of a payload. */
  readonly minBytes: number;
  readonly maxBytes: number;
  /** What a user would raise to have more. */
  readonly maxBytesName: string;
  readonly maxLoaned: number;
  readonly history: number;
  readonly timestamps: boolean;
  readonly figures: PortFigures;
  /** A sample was sent. Must not throw. */
  readonly onSent: (() => void) | undefined;
  /** An outlet was closed because its subscriber lied or left. */
  onGone(outlet: Outlet): void;
}

/** How many samples may be sent before control is served: an owner that never lets the event loop turn does it here. */
const SERVE_EVERY_SENDS = 64;

export class PublisherPort implements Lender {
  readonly segments: Segments;
  /** Where to wait for a slot to come back. */
  readonly returns: Returns;
  /** The newest, of which all new loans are, with what is needed of it for every loan. */
  #segment: Segment;
  #pool: SlotPool;
  #loans: (HotLoan | undefined)[];
  #roomBytes: number;
  readonly #minBytes: number;
  /** What is loaned when nothing is said; NaN: it must be said. */
  readonly #usualBytes: number;
  readonly #retirement: Retirement | undefined;
  readonly #history: History;
  /** Whether that keeps anything. */
  readonly #remembers: boolean;
  readonly #maxLoaned: number;
  readonly #options: PublisherPortOptions;
  /** Whether a send may be refused before anybody gets the sample. */
  readonly #mayRefuse: boolean;
  readonly #timestamps: boolean;
  readonly #onSent: (() => void) | undefined;
  /** Replaced whenever it changes: a send that is under way goes on with what it began with. */
  #outlets: readonly Outlet[] = [];
  #loaned = 0;
  #sequenceLow = 0;
  #sequenceHigh = 0;
  /** Control is served when it gets to `#serveAt`: below 0 for a publisher that tells of each sample, which has something to do after each. */
  #untilServe: number;
  readonly #serveAt: number;
  readonly #told: PublisherTold;
  /** A sample waits for room, or is on its way to some: those sent meanwhile would overtake it. */
  #sending = false;
  #closed = false;
  /** Neither of both. */
  #idle = true;
  readonly #bell = new Doorbell('the publisher');
  readonly #room: Room;

  constructor(options: PublisherPortOptions) {
    const { segments, minBytes, maxBytes } = options;
    this.#options = options;
    this.segments = segments;
    this.#segment = segments.newest;
    this.#pool = this.#segment.pool;
    this.#loans = this.#segment.loans;
    this.#roomBytes = Math.min(maxBytes, this.#segment.maxBytes);
    this.#minBytes = minBytes;
    this.#usualBytes = minBytes === maxBytes ? maxBytes : Number.NaN;
    if (segments.maxSegments > 1) this.#retirement = new Retirement(options.loop, () => this.#collect());
    this.#mayRefuse = !options.overflow && (options.whenFull === 'fail' || options.whenFull === 'wait');
    this.#timestamps = options.timestamps;
    this.#onSent = options.onSent;
    this.#serveAt = options.onSent === undefined ? 0 : -SERVE_EVERY_SENDS;
    this.#untilServe = this.#serveAt + SERVE_EVERY_SENDS;
    this.#history = new History(segments, options.history);
    this.#remembers = options.history > 0;
    this.#maxLoaned = options.maxLoaned;
    this.#told = new PublisherTold(options.figures, this);
    this.#room = new Room(options, this.#bell);
    this.returns = new Returns(options, this.#bell, this);
  }

  get outlets(): readonly Outlet[] {
    return this.#outlets;
  }

  /** Samples that were sent so far. */
  get sent(): number {
    return this.#sequenceHigh * 0x1_0000_0000 + (this.#sequenceLow >>> 0);
  }

  get loaned(): number {
    return this.#loaned;
  }

  /**
   * Loans a slot for a payload of that many bytes. Throws ERR_SEALANE_INVALID_ARGUMENT (more than `maxBytes`),
   * ERR_SEALANE_LIMIT_EXCEEDED (`maxLoaned` are on loan, `maxSegments` are in use), ERR_SEALANE_EXHAUSTED, ERR_SEALANE_CLOSED.
   */
  loan(bytes?: number): Loan {
    return this.loanSlot(bytes);
  }

  /** The same, as what it is. */
  loanSlot(bytes?: number): HotLoan {
    const size = bytes === undefined ? this.#usualBytes : bytes;
    const sure = typeof size === 'number' && (size | 0) === size;
    if (!(sure && size >= this.#minBytes && size <= this.#roomBytes)) this.#requireBytes(size);
    if (this.#loaned >= this.#maxLoaned) throw tooManyLoans(this.#maxLoaned);
    let slot = this.#pool.take();
    if (slot === NONE) slot = this.#takeReturned();
    const loan = this.#loans[slot] ?? this.#segment.makeLoan(slot, this);
    this.#loaned += 1;
    loan.begin(size);
    return loan;
  }

  send(loan: HotLoan): number {
    if (!this.#idle) this.requireIdle();
    if (this.#mayRefuse) this.#requireRoom(loan, true);
    this.#begin(loan);
    const { segment, slot } = loan;
    const outlets = this.#outlets;
    let reached = 0;
    for (; reached < outlets.length; reached++) {
      const outlet = outlets[reached] as Outlet;
      if (!(outlet.hasRoom(segment) && outlet.publish(slot))) return this.#sendOn(loan, outlets, reached);
    }
    this.#finish(loan);
    return reached;
  }

  async sendAsync(loan: HotLoan, signal: AbortSignal | undefined): Promise<number> {
    this.requireIdle();
    if (this.#mayRefuse) this.#requireRoom(loan, false);
    if (signal?.aborted === true) throw abortedError('sending', signal);
    this.#begin(loan);
    this.#setSending(true);
    const full: Outlet[] = [];
    let reached = this.#publishWhereRoom(loan, full);
    try {
      for (let outlet = full[0]; outlet !== undefined; outlet = full[0]) {
        if (await this.#publishLater(outlet, loan, signal)) reached += 1;
        full.shift();
      }
    } finally {
      for (const outlet of full) this.#room.lose(outlet);
      this.#setSending(false);
      this.#finish(loan);
    }
    return reached;
  }

  takeBack(loan: HotLoan): void {
    loan.end();
    this.#loaned -= 1;
    loan.pool.release(loan.slot);
  }

  forgotten(): void {
    this.#told.forgotten += 1;
  }

  /** The sequence number before the first sample that a subscriber gets which is added now and wants so much history. */
  sequenceBefore(history: number): number {
    return this.sent - Math.min(history, this.#history.length);
  }

  /** Adds a subscriber, and gives it as many of the last samples as it wants and its buffer holds. */
  add(outlet: Outlet, history: number): void {
    for (const cell of outlet.latest(this.#history.last(history), this.sent)) {
      const room = outlet.hasRoom(this.segments.of(cell));
      if (!(room && outlet.publish(cell & SLOT_MASK))) this.#room.lose(outlet);
    }
    this.#outlets = [...this.#outlets, outlet];
    this.returns.add(outlet);
    this.#told.add(outlet);
  }

  /** Ends the connection of a subscriber. Whatever it had comes back. */
  remove(outlet: Outlet): void {
    if (!this.#outlets.includes(outlet)) return;
    this.#outlets = this.#outlets.filter((other) => other !== outlet);
    outlet.close();
    this.#told.remove(outlet);
    this.#options.onGone(outlet);
    this.onRoom();
  }

  /** A subscriber may have room. */
  onRoom(): void {
    this.#bell.ring();
  }

  /** Ends all connections. What subscribers hold stays theirs: they keep the memory. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle = false;
    this.#roomBytes = -1;
    for (const segment of this.segments.live) for (const loan of segment.openLoans()) this.takeBack(loan);
    for (const outlet of this.#outlets) this.remove(outlet);
    this.#history.clear();
    this.#bell.close();
    this.#retirement?.close();
    this.segments.close();
  }

  /** Room for a payload of which it is not sure that there is: makes a segment that has it, or throws. NaN: nothing was asked for. */
  #requireBytes(size: number): void {
    this.#requireOpen();
    const bytes = Number.isNaN(size) ? undefined : size;
    checkPayload(bytes, this.#minBytes, this.#options.maxBytes, this.#options.maxBytesName);
    if (bytes <= this.#roomBytes) return;
    if (this.#loaned >= this.#maxLoaned) throw tooManyLoans(this.#maxLoaned);
    this.#collect();
    this.#requireOpen();
    this.#segment = this.segments.grow(bytes);
    this.#pool = this.#segment.pool;
    this.#loans = this.#segment.loans;
    this.#roomBytes = Math.min(this.#options.maxBytes, this.#segment.maxBytes);
    this.#retirement?.begin();
  }

  /** Takes what came back, and gives back old segments of which nobody needs anything. Whether others are left. */
  #collect(): boolean {
    this.reclaim();
    for (const segment of this.segments.takeUnneeded())
      for (const outlet of this.#outlets) outlet.retire(segment);
    return this.segments.hasOld;
  }

  /** Takes what came back of all subscribers. */
  reclaim(): void {
    for (const outlet of this.#outlets) if (!outlet.closed && !outlet.reclaim()) this.remove(outlet);
  }

  /** A slot that came back, or a new one. */
  #takeReturned(): number {
    this.reclaim();
    this.#requireOpen();
    const slot = this.#pool.takeAny();
    if (slot !== NONE) return slot;
    throw new SealaneError('ERR_SEALANE_INTERNAL', 'all slots are in use, which their number rules out');
  }

  /**
   * In the history before anybody has it: who connects while this waits for others would miss it. From here on the slot is this side's:
   * whoever releases the loan while it is being sent releases nothing. It still counts as loaned.
   */
  #begin(loan: HotLoan): void {
    this.#stamp(loan);
    if (this.#remembers) this.#history.add(loan.cell);
    loan.end();
  }

  #stamp(loan: HotLoan): void {
    const { words } = loan;
    const at = loan.firstWord;
    this.#sequenceLow = (this.#sequenceLow + 1) | 0;
    if (this.#sequenceLow === 0) this.#sequenceHigh += 1;
    words[at + SEQUENCE] = this.#sequenceLow;
    words[at + SEQUENCE + 1] = this.#sequenceHigh;
    // Without, the words are 0 as the memory was made.
    if (this.#timestamps) stampMonotonic(words, at + TIMESTAMP);
  }

  /** Goes on with a sample that `reached` outlets have got, of which the next has no room. Returns how many get it. */
  #sendOn(loan: HotLoan, outlets: readonly Outlet[], reached: number): number {
    let index = reached;
    let all = reached;
    this.#setSending(true);
    try {
      for (; index < outlets.length; index++)
        if (this.#publishTo(outlets[index] as Outlet, loan.segment, loan.slot)) all += 1;
    } finally {
      for (; index < outlets.length; index++) this.#room.lose(outlets[index] as Outlet);
      this.#setSending(false);
      this.#finish(loan);
    }
    return all;
  }

  /** Whatever room takes. False: the sample does not go there. May block. */
  #publishTo(outlet: Outlet, segment: Segment, slot: number): boolean {
    while (!outlet.closed && (outlet.hasRoom(segment) || this.#makeRoom(outlet, segment)))
      if (outlet.publish(slot)) return true;
    return false;
  }

  #finish(loan: HotLoan): void {
    this.#loaned -= 1;
    loan.pool.release(loan.slot);
    this.#untilServe -= 1;
    if (this.#untilServe <= 0) this.#afterSend();
  }

  #afterSend(): void {
    this.#onSent?.();
    if (this.#untilServe > this.#serveAt) return;
    this.#untilServe += SERVE_EVERY_SENDS;
    this.#options.loop.serveIfDue();
  }

  /** Room in one outlet, whatever it takes. False: the sample does not go there. May block. */
  #makeRoom(outlet: Outlet, segment: Segment): boolean {
    const { overflow } = this.#options;
    const room = this.#room.look(outlet, segment) || (!overflow && this.#room.wait(outlet, segment));
    if (outlet.lie !== undefined) this.remove(outlet);
    return room && !outlet.closed;
  }

  /** Publishes to all that have room; returns how many that were. Adds the others to `full`, unless theirs is lost. */
  #publishWhereRoom({ segment, slot }: HotLoan, full: Outlet[]): number {
    const { overflow } = this.#options;
    let reached = 0;
    for (const outlet of this.#outlets) {
      const room = !outlet.closed && (outlet.hasRoom(segment) || this.#room.look(outlet, segment));
      if (room && outlet.publish(slot)) reached += 1;
      else if (outlet.lie !== undefined) this.remove(outlet);
      else if (!overflow) full.push(outlet);
      else if (room) this.#room.lose(outlet);
    }
    return reached;
  }

  async #publishLater(
    outlet: Outlet,
    { segment, slot }: HotLoan,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    // Between the look that found room and this, others had their turn, and may have closed it.
    while ((await this.#room.waitAsync(outlet, segment, signal)) && !outlet.closed)
      if (outlet.publish(slot)) return true;
    if (outlet.lie !== undefined) this.remove(outlet);
    return false;
  }

  /** Throws before anybody gets a sample that not all can get. Only this side fills the rings: where there is room now, there will be. */
  #requireRoom(loan: HotLoan, blocking: boolean): void {
    for (const outlet of this.#outlets) {
      const room = outlet.closed || outlet.hasRoom(loan.segment) || outlet.look(loan.segment);
      if (outlet.lie !== undefined) this.#expel(outlet);
      else if (room) continue;
      else if (this.#options.whenFull === 'fail') throw fullError(outlet.peer);
      else if (blocking && this.#options.isLocal(outlet.peer.node)) throw waitsForItself();
    }
    this.#requireOpen();
    if (!loan.onLoan) throw notOnLoan();
  }

  /** Whoever is told of it may do anything but send, which would overtake. */
  #expel(liar: Outlet): void {
    this.#setSending(true);
    this.remove(liar);
    this.#setSending(false);
  }

  #setSending(sending: boolean): void {
    this.#sending = sending;
    this.#idle = !sending && !this.#closed;
  }

  /** Whoever is told of a subscriber that is gone may close the publisher. */
  #requireOpen(): void {
    if (this.#closed) throw closedError('the publisher');
  }

  /** Throws ERR_SEALANE_CLOSED, and ERR_SEALANE_BUSY while an earlier sample waits for room. */
  requireIdle(): void {
    this.#requireOpen();
    if (this.#sending) throw stillWaits();
  }
}
