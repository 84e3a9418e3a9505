/**
 * The event set of one notifier-listener pair: which ids were notified, and how often each was, as one side each. Neither owns the memory,
 * which both write. The notifier trusts nothing in it: its counts stand in its own record. The listener knows itself what it has told of
 * each id, so that nothing is lost or told twice, and ends with a notifier whose numbers can't be.
 *
 * A count has two words: high is n / 2^31, low is n mod 2^32, so that the top bit of low is the lowest of high, unless the notifier is
 * between the two stores: then low still belongs to high - 1. spec/models has the proof that spin checks.
 */
import {
  EVENTS_COUNT_BYTES,
  EVENTS_COUNTS_AT,
  EVENTS_GOODBYE_AT,
  EVENTS_IDS_AT,
  EVENTS_LISTENER_WAITING_AT,
  EVENTS_MAGIC,
  EVENTS_MAGIC_AT,
  EVENTS_MAX_HIGH,
  EVENTS_NOTIFIER_WAITING_AT,
  EVENTS_PENDING_AT,
  EVENTS_PENDING_WORDS,
  EVENTS_VERSION,
  EVENTS_VERSION_AT,
} from './layout.js';
import { CORRUPT, NONE } from './outcome.js';

const WORD_BYTES = 4;
const GOODBYE = EVENTS_GOODBYE_AT / WORD_BYTES;
const PENDING = EVENTS_PENDING_AT / WORD_BYTES;
const COUNTS = EVENTS_COUNTS_AT / WORD_BYTES;
const COUNT_WORDS = EVENTS_COUNT_BYTES / WORD_BYTES;
const TWO_TO_31 = 0x8000_0000;
const IDS_PER_WORD = 32;

/** Index of the listener's waiting word. */
export const LISTENER_WAITING = EVENTS_LISTENER_WAITING_AT / WORD_BYTES;
/** Index of the notifier's, which never waits. */
export const NOTIFIER_WAITING = EVENTS_NOTIFIER_WAITING_AT / WORD_BYTES;

/** Looks at a count until it holds still. An honest notifier changes the high word once in 2^31 notifications. */
const MAX_LOOKS = 8;

/** Marks that tell nothing new, until a reader gives up for now: an honest notifier leaves few, and a hostile one sets them for ever. */
const MAX_STALE = 4_096;

/** Bytes of an event set of so many ids. */
export function eventSetBytes(ids: number): number {
  return EVENTS_COUNTS_AT + ids * EVENTS_COUNT_BYTES;
}

/** Writes the constants that inspectors look for. Everything else of new memory is 0, which is how it begins. */
export function beginEventSet(words: Int32Array, ids: number): void {
  words[EVENTS_MAGIC_AT / WORD_BYTES] = EVENTS_MAGIC;
  words[EVENTS_VERSION_AT / WORD_BYTES] = EVENTS_VERSION;
  words[EVENTS_IDS_AT / WORD_BYTES] = ids;
}

/** The notifier's half. */
export class EventWriter {
  readonly #words: Int32Array;
  /** What the words of the counts are: this, and not the memory, is what is counted on. */
  readonly #counts: Int32Array;

  /** `starts`: how often each id was notified already, which tests put close to the wraps. */
  constructor(words: Int32Array, ids: number, starts: readonly number[] = []) {
    this.#words = words;
    this.#counts = new Int32Array(ids * COUNT_WORDS);
    for (const [id, start] of starts.entries()) {
      const at = id * COUNT_WORDS;
      this.#counts.set([Math.floor(start / TWO_TO_31), (start % (2 * TWO_TO_31)) | 0], at);
      words.set(this.#counts.subarray(at, at + COUNT_WORDS), COUNTS + at);
    }
  }

  /** Counts an id that there is, and marks it. False: it was marked already, and whoever did that wakes the listener if it waits. */
  notify(id: number): boolean {
    const words = this.#words;
    const at = id * COUNT_WORDS;
    const low = ((this.#counts[at + 1] as number) + 1) | 0;
    this.#counts[at + 1] = low;
    if ((low & 0x7fff_ffff) === 0) this.#carry(at);
    // Before the mark: pairs with EventReader.take, which takes the mark, then reads the count.
    Atomics.store(words, COUNTS + at + 1, low);
    const word = PENDING + (id >>> 5);
    const bit = 1 << (id & 31);
    if ((Atomics.load(words, word) & bit) !== 0) return false;
    // Behind the count, and before the look at the waiting word: the other half of the agreement in waiting.ts.
    Atomics.or(words, word, bit);
    return true;
  }

  /** Says that the end of the connection, which is next, is no death. */
  sayGoodbye(): void {
    Atomics.store(this.#words, GOODBYE, 1);
  }

  /** Before the low word: a reader that sees only this one finds that the top bit of low does not fit. */
  #carry(at: number): void {
    const high = (this.#counts[at] as number) + 1;
    this.#counts[at] = high;
    Atomics.store(this.#words, COUNTS + at, high);
  }
}

/** The listener's half. */
export class EventReader {
  /** How often the id that was taken last was notified since it was taken before. */
  count = 0;
  readonly #words: Int32Array;
  readonly #ids: number;
  readonly #pendingWords: number;
  /** Marks that were taken and not looked at yet, by word; and a bit for each word that has some. */
  readonly #marks = new Int32Array(EVENTS_PENDING_WORDS);
  #marked = 0;
  /** What was told of each id. */
  readonly #told: Float64Array;
  /** The word that is looked at next: ids take turns. */
  #next = 0;
  #finished = false;

  constructor(words: Int32Array, ids: number) {
    this.#words = words;
    this.#ids = ids;
    this.#pendingWords = Math.ceil(ids / IDS_PER_WORD);
    this.#told = new Float64Array(ids);
  }

  /** Whether something can be taken now. Also true of marks that make no sense, or are old: take says so. */
  get ready(): boolean {
    return this.#marked !== 0 || (!this.#finished && this.#find() >= 0);
  }

  /** Whether the notifier was closed. Only when the connection has ended: it says so just before. */
  get saidGoodbye(): boolean {
    return Atomics.load(this.#words, GOODBYE) === 1;
  }

  /** Takes all marks that there are, and no later ones: the connection has ended, and who goes on writing is not listened to. */
  finish(): void {
    if (this.#finished) return;
    for (let word = 0; word < this.#pendingWords; word++) this.#takeMarks(word);
    this.#finished = true;
  }

  /** Takes an id that was notified, with its {@link count}; NONE or CORRUPT. */
  take(): number {
    for (let looks = 0; looks < MAX_STALE; looks++) {
      const word = this.#nextWord();
      if (word < 0) return NONE;
      const marks = this.#marks[word] as number;
      const left = marks & (marks - 1);
      this.#marks[word] = left;
      if (left === 0) this.#leave(word);
      const id = word * IDS_PER_WORD + 31 - Math.clz32(marks ^ left);
      const count = id < this.#ids ? this.#growth(id) : CORRUPT;
      if (count === CORRUPT) return CORRUPT;
      // A mark that was set behind the look at its count: that was told with an earlier one.
      if (count === 0) continue;
      this.count = count;
      return id;
    }
    return NONE;
  }

  /** The word whose marks are looked at: what was taken of one is used up before the next has its turn. Negative: there are no marks. */
  #nextWord(): number {
    if (this.#marked === 0 && !this.#finished) {
      const word = this.#find();
      if (word >= 0) this.#takeMarks(word);
    }
    if (this.#marked === 0) return -1;
    if ((this.#marked & (1 << this.#next)) === 0) this.#next = 31 - Math.clz32(this.#marked);
    return this.#next;
  }

  /**
   * The first word from the next on that has marks in the memory, or -1. Plain loads, which take a tenth of the time, behind an atomic
   * one: none of them is moved ahead of it, and it is behind the store of the waiting word, if the listener is about to sleep.
   */
  #find(): number {
    const words = this.#words;
    const next = this.#next;
    if (Atomics.load(words, PENDING + next) !== 0) return next;
    const end = PENDING + this.#pendingWords;
    for (let at = PENDING + next + 1; at < end; at++) if (words[at] !== 0) return at - PENDING;
    for (let at = PENDING; at < PENDING + next; at++) if (words[at] !== 0) return at - PENDING;
    return -1;
  }

  #takeMarks(word: number): void {
    // Before the counts are read: pairs with the or in EventWriter.notify, so that what is counted later is marked anew.
    const marks = Atomics.exchange(this.#words, PENDING + word, 0);
    if (marks === 0) return;
    this.#marks[word] = (this.#marks[word] as number) | marks;
    this.#marked |= 1 << word;
  }

  /** Nothing of a word is left: the next word has its turn. */
  #leave(word: number): void {
    this.#marked &= ~(1 << word);
    this.#next = word + 1 < this.#pendingWords ? word + 1 : 0;
  }

  /** How often an id was notified that was not told, which is told now; CORRUPT. */
  #growth(id: number): number {
    const at = COUNTS + id * COUNT_WORDS;
    let high = Atomics.load(this.#words, at);
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const low = Atomics.load(this.#words, at + 1);
      // Behind the low word: pairs with EventWriter.#carry.
      const again = Atomics.load(this.#words, at);
      if (again === high) return this.#tell(id, high, low);
      high = again;
    }
    return CORRUPT;
  }

  #tell(id: number, high: number, low: number): number {
    if (high < 0 || high > EVENTS_MAX_HIGH) return CORRUPT;
    const half = low >>> 31 === (high & 1) ? high : high - 1;
    const now = half * TWO_TO_31 + (low & 0x7fff_ffff);
    const growth = now - (this.#told[id] as number);
    if (growth < 0) return CORRUPT;
    this.#told[id] = now;
    return growth;
  }
}
