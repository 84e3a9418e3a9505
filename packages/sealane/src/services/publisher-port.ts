/**
 * A publisher's port: loans slots and sends them to all its subscribers. Owns its slots and the ends of its pairs. This is the hot tier:
 * loan and send allocate nothing once every slot was used, and enter the kernel only to wake a sleeper.
 */
import { checkInteger } from '../base/check.js';
import { diagnostics } from '../base/diagnostics.js';
import { abortedError, closedError, SealaneError } from '../base/errors.js';
import { stampMonotonic } from '../os/index.js';
import { NONE } from '../shm/outcome.js';
import { SlotPool } from '../shm/slot-pool.js';
import type { ControlLoop } from './control.js';
import { Doorbell } from './doorbell.js';
import { type FullAction, FullDecision, type FullHandler } from './full.js';
import { History } from './history.js';
import { HotLoan, type Lender, type Loan } from './loan.js';
import type { Outlet } from './outlet.js';
import { SEQUENCE, type SlotMemory, TIMESTAMP } from './slots.js';

/** What a port needs to know. Everything was checked. */
export interface PublisherPortOptions {
  readonly memory: SlotMemory;
  /** Slots that are used before anybody is asked what came back. */
  readonly warmSlots: number;
  readonly maxLoaned: number;
  readonly history: number;
  readonly overflow: boolean;
  readonly whenFull: FullAction | FullHandler;
  readonly timestamps: boolean;
  readonly loop: ControlLoop;
  /** Whether a node lives in this very thread: waiting for it here would wait for ever. */
  isLocal(node: string): boolean;
  /** Samples do not get to a subscriber. Called only where diagnostics want to know. */
  onLost(outlet: Outlet, samples: number): void;
  /** A sample was sent. Must not throw. */
  readonly onSent: (() => void) | undefined;
  /** An outlet was closed because its subscriber lied or left. */
  onGone(outlet: Outlet): void;
}

/** How many samples may be sent before control is served: an owner that never lets the event loop turn does it here. */
const SERVE_EVERY_SENDS = 64;

/** How often a publisher that has to wait looks before it sleeps: some 20 us. A subscriber that is awake makes room in less. */
const SPIN_LOOKS = 500;

/** How long a publisher waits for room before it looks by itself, in milliseconds: it is woken when half of the buffer is empty. */
const WAIT_SLICE_MS = 100;

export class PublisherPort implements Lender {
  readonly #memory: SlotMemory;
  readonly #words: Int32Array;
  readonly #pool: SlotPool;
  readonly #loans: (HotLoan | undefined)[] = [];
  readonly #history: History;
  readonly #options: PublisherPortOptions;
  readonly #maxBytes: number;
  /** Whether a send may be refused before anybody gets the sample. */
  readonly #mayRefuse: boolean;
  readonly #timestamps: boolean;
  readonly #onSent: (() => void) | undefined;
  /** Replaced whenever it changes: a send that is under way goes on with what it began with. */
  #outlets: readonly Outlet[] = [];
  #loaned = 0;
  #sequenceLow = 0;
  #sequenceHigh = 0;
  #untilServe = SERVE_EVERY_SENDS;
  /** A sample waits for room: those sent meanwhile would overtake it. */
  #sending = false;
  #closed = false;
  readonly #bell = new Doorbell('the publisher');

  constructor(options: PublisherPortOptions) {
    const { memory } = options;
    this.#options = options;
    this.#memory = memory;
    this.#words = memory.words;
    this.#maxBytes = memory.shape.maxBytes;
    this.#mayRefuse = !options.overflow && (options.whenFull === 'fail' || options.whenFull === 'wait');
    this.#timestamps = options.timestamps;
    this.#onSent = options.onSent;
    this.#pool = new SlotPool(memory.shape.slots, options.warmSlots);
    this.#history = new History(this.#pool, options.history);
  }

  get pool(): SlotPool {
    return this.#pool;
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
   * ERR_SEALANE_LIMIT_EXCEEDED (`maxLoaned` are on loan), ERR_SEALANE_CLOSED.
   */
  loan(bytes: number): Loan {
    return this.loanSlot(bytes);
  }

  /** The same, as what it is. */
  loanSlot(bytes: number): HotLoan {
    if (this.#closed) throw closedError('the publisher');
    if (!(Number.isInteger(bytes) && bytes >= 0 && bytes <= this.#maxBytes))
      checkInteger('bytes', bytes, 0, this.#maxBytes);
    if (this.#loaned >= this.#options.maxLoaned) throw this.#tooManyLoans();
    let slot = this.#pool.take();
    if (slot === NONE) slot = this.#takeReturned();
    const loan = this.#loans[slot] ?? this.#makeLoan(slot);
    this.#loaned += 1;
    loan.begin(bytes);
    return loan;
  }

  send(loan: HotLoan): number {
    this.#checkIdle();
    if (this.#mayRefuse) this.#requireRoom(true);
    this.#begin(loan);
    try {
      return this.#publishToAll(loan.slot);
    } finally {
      this.#finish(loan);
    }
  }

  async sendAsync(loan: HotLoan, signal: AbortSignal | undefined): Promise<number> {
    this.#checkIdle();
    if (this.#mayRefuse) this.#requireRoom(false);
    if (signal?.aborted === true) throw abortedError('sending', signal);
    this.#begin(loan);
    this.#sending = true;
    const full = this.#publishWhereRoom(loan.slot);
    let reached = this.#outlets.length - full.length;
    try {
      for (let outlet = full[0]; outlet !== undefined; outlet = full[0]) {
        if (await this.#publishLater(outlet, loan.slot, signal)) reached += 1;
        full.shift();
      }
    } finally {
      for (const outlet of full) this.#lose(outlet);
      this.#sending = false;
      this.#finish(loan);
    }
    return reached;
  }

  takeBack(loan: HotLoan): void {
    loan.end();
    this.#loaned -= 1;
    this.#pool.release(loan.slot);
  }

  /** The sequence number before the first sample that a subscriber gets which is added now and wants so much history. */
  sequenceBefore(history: number): number {
    return this.sent - Math.min(history, this.#history.length);
  }

  /** Adds a subscriber, and gives it as many of the last samples as it wants and its buffer holds. */
  add(outlet: Outlet, history: number): void {
    for (const slot of this.#history.last(history)) outlet.publish(slot);
    this.#outlets = [...this.#outlets, outlet];
  }

  /** Ends the connection of a subscriber. Whatever it had comes back. */
  remove(outlet: Outlet): void {
    if (!this.#outlets.includes(outlet)) return;
    this.#outlets = this.#outlets.filter((other) => other !== outlet);
    outlet.close();
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
    for (const loan of this.#loans) if (loan?.onLoan) this.takeBack(loan);
    for (const outlet of this.#outlets) this.remove(outlet);
    this.#history.clear();
    this.#bell.close();
  }

  #makeLoan(slot: number): HotLoan {
    const loan = new HotLoan(this, this.#memory, slot);
    while (this.#loans.length < slot) this.#loans.push(undefined);
    this.#loans[slot] = loan;
    return loan;
  }

  /** A slot that came back, or a new one. */
  #takeReturned(): number {
    for (const outlet of this.#outlets) if (!outlet.closed && !outlet.reclaim()) this.remove(outlet);
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
    this.#history.add(loan.slot);
    loan.end();
  }

  #stamp(loan: HotLoan): void {
    const words = this.#words;
    const at = loan.firstWord;
    this.#sequenceLow = (this.#sequenceLow + 1) | 0;
    if (this.#sequenceLow === 0) this.#sequenceHigh += 1;
    words[at + SEQUENCE] = this.#sequenceLow;
    words[at + SEQUENCE + 1] = this.#sequenceHigh;
    if (this.#timestamps) stampMonotonic(words, at + TIMESTAMP);
    else words[at + TIMESTAMP] = words[at + TIMESTAMP + 1] = 0;
  }

  /** Returns how many got the sample. */
  #publishToAll(slot: number): number {
    const outlets = this.#outlets;
    let reached = 0;
    let index = 0;
    try {
      for (; index < outlets.length; index++) {
        const outlet = outlets[index] as Outlet;
        if (outlet.closed || !(outlet.hasRoom || this.#makeRoom(outlet))) continue;
        outlet.publish(slot);
        reached += 1;
      }
    } finally {
      for (; index < outlets.length; index++) this.#lose(outlets[index] as Outlet);
    }
    return reached;
  }

  #finish(loan: HotLoan): void {
    this.#loaned -= 1;
    this.#pool.release(loan.slot);
    if (this.#onSent !== undefined) this.#onSent();
    this.#untilServe -= 1;
    if (this.#untilServe > 0) return;
    this.#untilServe = SERVE_EVERY_SENDS;
    this.#options.loop.serveIfDue();
  }

  /** Room in one outlet, whatever it takes. False: the sample does not go there. May block. */
  #makeRoom(outlet: Outlet): boolean {
    const room = this.#options.overflow ? this.#pushOut(outlet) : outlet.look() || this.#waitForRoom(outlet);
    if (outlet.lie !== undefined) this.remove(outlet);
    return room && !outlet.closed;
  }

  /** Room by way of what is oldest. False: the subscriber lies. */
  #pushOut(outlet: Outlet): boolean {
    const before = outlet.lost;
    const room = outlet.makeRoom();
    if (diagnostics.lost.wanted && outlet.lost > before) this.#options.onLost(outlet, outlet.lost - before);
    return room;
  }

  #lose(outlet: Outlet): void {
    outlet.lost += 1;
    if (diagnostics.lost.wanted) this.#options.onLost(outlet, 1);
  }

  /** While this asks a handler, nothing else may be sent: it would overtake. */
  #waitForRoom(outlet: Outlet): boolean {
    this.#sending = true;
    try {
      return this.#decideForRoom(outlet);
    } finally {
      this.#sending = false;
    }
  }

  #decideForRoom(outlet: Outlet): boolean {
    const decision = new FullDecision(this.#options.whenFull, outlet.peer);
    while (outlet.lie === undefined && !outlet.closed) {
      const action = decision.next();
      // A handler may close the publisher.
      if (outlet.closed) return false;
      if (action === 'drop') return this.#drop(outlet);
      if (action === 'fail') throw fullError(outlet);
      if (action === 'wait') this.#block(outlet);
      else this.#options.loop.serveIfDue();
      if (!outlet.closed && outlet.look()) return true;
    }
    return false;
  }

  /** Blocks the thread until the subscriber does something. */
  #block(outlet: Outlet): void {
    if (this.#options.isLocal(outlet.peer.node)) throw waitsForItself();
    for (let looks = 0; looks < SPIN_LOOKS; looks++) if (outlet.look() || outlet.lie !== undefined) return;
    outlet.beginWaiting();
    if (!outlet.look() && outlet.lie === undefined) this.#options.loop.wait(WAIT_SLICE_MS);
    outlet.endWaiting();
  }

  #drop(outlet: Outlet): false {
    this.#lose(outlet);
    return false;
  }

  /** Publishes to all that have room; returns the others. */
  #publishWhereRoom(slot: number): Outlet[] {
    const full: Outlet[] = [];
    for (const outlet of this.#outlets) {
      const room = outlet.hasRoom || (this.#options.overflow ? this.#pushOut(outlet) : outlet.look());
      if (outlet.lie !== undefined) this.remove(outlet);
      else if (room) outlet.publish(slot);
      else full.push(outlet);
    }
    return full;
  }

  async #publishLater(outlet: Outlet, slot: number, signal: AbortSignal | undefined): Promise<boolean> {
    const decision = new FullDecision(this.#options.whenFull, outlet.peer);
    while (outlet.lie === undefined && !outlet.closed) {
      const action = decision.next();
      // A handler may close the publisher.
      if (outlet.closed) return false;
      if (action === 'drop') return this.#drop(outlet);
      if (action === 'fail') throw fullError(outlet);
      await (action === 'wait'
        ? this.#room(outlet, signal)
        : new Promise((resolve) => setImmediate(resolve)));
      if (outlet.closed || !outlet.look()) continue;
      outlet.publish(slot);
      return true;
    }
    if (outlet.lie !== undefined) this.remove(outlet);
    return false;
  }

  /** Resolves when the subscriber has done something; rejects when the signal fires. */
  async #room(outlet: Outlet, signal: AbortSignal | undefined): Promise<void> {
    outlet.beginWaiting();
    const timer = setInterval(() => this.#bell.ring(), WAIT_SLICE_MS);
    try {
      if (!outlet.look() && outlet.lie === undefined) await this.#bell.wait(signal, 'sending');
    } finally {
      clearInterval(timer);
      outlet.endWaiting();
    }
  }

  /** Throws before anybody gets a sample that not all can get. Only this side fills the rings: where there is room now, there will be. */
  #requireRoom(blocking: boolean): void {
    for (const outlet of this.#outlets) {
      const room = outlet.hasRoom || outlet.look();
      if (outlet.lie !== undefined) this.remove(outlet);
      else if (room) continue;
      else if (this.#options.whenFull === 'fail') throw fullError(outlet);
      else if (blocking && this.#options.isLocal(outlet.peer.node)) throw waitsForItself();
    }
  }

  #checkIdle(): void {
    if (this.#closed) throw closedError('the publisher');
    if (!this.#sending) return;
    const message =
      'an earlier sample still waits for room: await its sendAsync first, and send nothing in whenFull';
    throw new SealaneError('ERR_SEALANE_BUSY', message);
  }

  #tooManyLoans(): SealaneError {
    const { maxLoaned } = this.#options;
    return new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${maxLoaned} samples are on loan, which is maxLoaned: send or release one, or raise the setting`,
    );
  }
}

function fullError({ peer }: Outlet): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_SUBSCRIBER_FULL',
    `the buffer of subscriber ${peer.port} of node ${peer.node} (process ${peer.pid}) is full: it receives too slowly, or bufferSize is too low`,
  );
}

function waitsForItself(): SealaneError {
  return new SealaneError(
    'ERR_SEALANE_SUBSCRIBER_FULL',
    'a subscriber of this thread is full, and waiting for it here would wait for ever: use sendAsync',
  );
}
