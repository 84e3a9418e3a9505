/**
 * list: a page of what the caller may see, in the order of ids. A page ends when it has as many objects as were asked for, when it
 * fills a message, or when it has cost enough: whoever lists a million objects takes turns with the others.
 */
import { type ListRequest, NamePattern } from '../wire/index.js';
import { may } from './access.js';
import { withDigests } from './digesting.js';
import type { StoredObject } from './object.js';
import type { Session } from './session.js';
import { type Budget, matchUnits } from './work.js';

/** What a page may cost: some 0.2 ms. */
const PAGE_UNITS = 2_000;

/** What an object on the page costs: describing and encoding it. */
const ENTRY_UNITS = 10;

/** Bytes of a page's descriptions, unless one alone has more: a page is kept in memory while its client does not read it. */
const PAGE_BYTES = 262_144;

/** Bytes that are hashed for one page, unless one object alone has more: so that a page with digests comes within seconds. */
const PAGE_HASH_BYTES = 268_435_456;

/** The header of the message, and of its own fields. */
const PAGE_HEADER_BYTES = 64;

interface Page {
  readonly objects: StoredObject[];
  /** The cursor for the next page; 0: there is none. */
  next: number;
}

export function handleList(session: Session, request: ListRequest): void {
  const pattern = request.pattern === undefined ? undefined : new NamePattern(request.pattern);
  const budget: Budget = { units: PAGE_UNITS };
  const page = collect(session, request, pattern, budget);
  session.attention.spend(PAGE_UNITS - budget.units);
  const { requestId } = request;
  const answer = (): void => {
    // Digests take time: a new policy may have come.
    const listed = page.objects.filter((object) => may('list', object, session));
    const objects = listed.map((object) => object.info());
    session.reply({ type: 'list', requestId, objects, next: page.next });
  };
  if (request.digests) withDigests(session, { requestId, type: 'list' }, page.objects, answer);
  else answer();
}

function collect(
  session: Session,
  request: ListRequest,
  pattern: NamePattern | undefined,
  budget: Budget,
): Page {
  const page: Page = { objects: [], next: 0 };
  const all = session.services.store.ordered(session.shelf);
  const room = new Room(session, request);
  let last = request.after;
  for (let at = all.positionAfter(request.after); ; at++) {
    const object = all.at(at);
    if (object === undefined) return page;
    const listed = isListed(object, session, pattern, budget);
    // The first one always counts, so that each page gets on.
    const spent = budget.units <= 0 && last !== request.after;
    if (spent || (listed && !room.take(object))) break;
    if (listed) page.objects.push(object);
    last = object.id;
  }
  page.next = last;
  return page;
}

function isListed(
  object: StoredObject,
  session: Session,
  pattern: NamePattern | undefined,
  budget: Budget,
): boolean {
  budget.units--;
  if (object.dropped) return false;
  if (pattern !== undefined) {
    if (object.name === undefined || !object.name.startsWith(pattern.prefix)) return false;
    budget.units -= matchUnits(object.name.length);
    if (!pattern.matches(object.name)) return false;
  }
  if (!may('list', object, session, budget)) return false;
  budget.units -= ENTRY_UNITS;
  return true;
}

/** What still fits on a page. */
class Room {
  #entries: number;
  #bytes: number;
  #hashBytes: number;
  #empty = true;

  constructor(session: Session, request: ListRequest) {
    this.#entries = Math.min(request.limit, session.services.settings.maxListEntries);
    this.#bytes = Math.min(session.maxAnswerBytes, PAGE_BYTES) - PAGE_HEADER_BYTES;
    this.#hashBytes = request.digests ? PAGE_HASH_BYTES : Number.POSITIVE_INFINITY;
  }

  /** Whether the object still fits: the first one always does. */
  take(object: StoredObject): boolean {
    this.#entries--;
    this.#bytes -= object.infoBytes;
    if (object.content.digest === undefined) this.#hashBytes -= object.content.size;
    const fits = this.#entries >= 0 && this.#bytes >= 0 && this.#hashBytes >= 0;
    const taken = fits || this.#empty;
    this.#empty = false;
    return taken;
  }
}
