/**
 * The objects of all users on shelves (one a user, or, under a policy, one for all), with constant-time lookups by id, name and digest.
 * Owns every content and object, and their descriptors. Trusts its callers to have validated descriptors and requests;
 * which of a user's objects a caller may see or drop is decided here, by the rules of access.ts.
 */
import { SealaneError } from '../base/errors.js';
import type { Selector } from '../wire/index.js';
import { type Caller, may, type Right } from './access.js';
import type { Closer } from './closer.js';
import { Content } from './content.js';
import { Expiry } from './expiry.js';
import { type ObjectDraft, StoredObject } from './object.js';
import { OrderedObjects } from './ordered.js';
import type { Account, Quota } from './quota.js';
import { Versions } from './versions.js';
import type { Budget } from './work.js';

/** What can be found together. */
class Shelf {
  readonly byId = new Map<number, StoredObject>();
  readonly ordered = new OrderedObjects();
  readonly names = new Map<string, Versions>();
  readonly digests = new Map<string, Versions>();
  /** The content to share, by user and digest: users share none, since each is charged for its own. */
  readonly contents = new Map<string, Content>();

  get empty(): boolean {
    return this.byId.size === 0 && this.contents.size === 0;
  }
}

/** What can be done with an object that is there. */
type Sight = Exclude<Right, 'put'>;

const NO_OBJECTS = new OrderedObjects();

export class Store {
  readonly #shelves = new Map<number, Shelf>();
  readonly #expiry = new Expiry((object) => this.drop(object));
  #lastId = 0;
  #count = 0;

  constructor(
    private readonly quota: Quota,
    private readonly closer: Pick<Closer, 'close'>,
  ) {}

  /** The id of the newest object that was ever put; 0 before the first. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Objects that can be found now, on all shelves or on one. */
  count(shelf?: number): number {
    return shelf === undefined ? this.#count : (this.#shelves.get(shelf)?.byId.size ?? 0);
  }

  /**
   * Takes a validated descriptor whose `heldBytes` of memory are charged to `account` already. The caller holds the first reference; with the
   * last one the descriptor is closed and the bytes are refunded.
   */
  admit(account: Account, fd: number, size: number, heldBytes = size): Content {
    return new Content(account, fd, size, (content) => this.#onContentGone(content), heldBytes);
  }

  /**
   * The content to keep in place of `content`, whose digest is known: one of this user that has the same bytes already, or
   * itself. Takes the caller's reference to `content` and gives one to the result.
   */
  share(content: Content): Content {
    const held =
      content.digest === undefined
        ? undefined
        : this.#shelves.get(content.shelf)?.contents.get(contentKey(content));
    if (held === undefined || held === content) return content;
    held.retain();
    content.release();
    return held;
  }

  /** Notes the digest of a content, once, and makes it and its object findable by it. The caller holds a reference. */
  setDigest(content: Content, digest: string): void {
    content.digest = digest;
    const shelf = this.#shelf(content.shelf);
    const key = contentKey(content);
    if (!shelf.contents.has(key)) shelf.contents.set(key, content);
    const object = content.firstObject;
    content.firstObject = undefined;
    if (object !== undefined && !object.dropped) index(shelf.digests, digest, object);
  }

  /**
   * Adds an object. Takes the caller's reference to `content`, and what was charged to `account` for it: one object and its
   * `recordBytes`, which are refunded when the object is gone.
   */
  insert(content: Content, account: Account, draft: ObjectDraft): StoredObject {
    const shelf = this.#shelf(account.shelf);
    this.#lastId++;
    const object = new StoredObject(this.#lastId, content, account, draft, Date.now(), (gone) =>
      this.#onObjectGone(gone),
    );
    if (content.digest === undefined) content.firstObject = object;
    this.#count++;
    shelf.byId.set(object.id, object);
    shelf.ordered.add(object);
    if (object.name !== undefined) index(shelf.names, object.name, object);
    if (content.digest !== undefined) index(shelf.digests, content.digest, object);
    if (draft.ttlMs !== undefined) this.#expiry.add(object, draft.ttlMs);
    return object;
  }

  /**
   * The object that a selector names: of those with its name or digest the newest that the caller may see.
   * Throws ERR_SEALANE_NOT_FOUND, or ERR_SEALANE_ACCESS_DENIED when there are such objects on the caller's shelf and it may
   * see none.
   */
  find(caller: Caller, selector: Selector, right: 'get' | 'list'): StoredObject {
    return this.#find(caller, selector, [right]);
  }

  /**
   * As {@link find}, among what the caller may list or drop; also throws ERR_SEALANE_ACCESS_DENIED when it may see the object and
   * not drop it.
   */
  findToDrop(caller: Caller, selector: Selector): StoredObject {
    const object = this.#find(caller, selector, ['list', 'drop']);
    if (may('drop', object, caller)) return object;
    throw new SealaneError(
      'ERR_SEALANE_ACCESS_DENIED',
      `object ${object.id} belongs to ${describeOwner(object)}; this caller may see it and not drop it`,
    );
  }

  /** The newest object of a name that the caller may get. Counts what it cost to find that out. */
  newest(caller: Caller, name: string, budget?: Budget): StoredObject | undefined {
    const versions = this.#shelves.get(caller.shelf)?.names.get(name);
    return versions?.newest(caller, caller.rights.grants('get', name, budget));
  }

  /** All objects of a shelf in the order of their ids; positions in it are valid until the next change of the store. */
  ordered(shelf: number): OrderedObjects {
    return this.#shelves.get(shelf)?.ordered ?? NO_OBJECTS;
  }

  /** Forgets an object: nobody finds it any more. It lives on for whoever holds it. */
  drop(object: StoredObject): void {
    const shelf = this.#shelf(object.shelf);
    object.markDropped();
    this.#count--;
    shelf.byId.delete(object.id);
    shelf.ordered.remove();
    if (object.name !== undefined) unindex(shelf.names, object.name, object);
    if (object.content.digest !== undefined) unindex(shelf.digests, object.content.digest, object);
    if (object.expiresAtMs !== undefined) this.#expiry.dropped();
    object.release();
    this.#tidy(object.shelf);
  }

  /** Drops what is past its time to live. */
  sweep(): void {
    this.#expiry.sweep();
  }

  /** Drops everything. */
  close(): void {
    for (const shelf of this.#shelves.values()) for (const object of shelf.byId.values()) this.drop(object);
    this.#expiry.close();
  }

  /** Of the objects that the caller may do one of these things with, the newest that the selector names. */
  #find(caller: Caller, selector: Selector, rights: readonly Sight[]): StoredObject {
    const shelf = this.#shelves.get(caller.shelf);
    const object = shelf === undefined ? undefined : findOn(shelf, caller, selector, rights);
    if (object !== undefined) return object;
    throw new SealaneError('ERR_SEALANE_NOT_FOUND', `there is no object with ${describeSelector(selector)}`);
  }

  #onObjectGone(object: StoredObject): void {
    this.quota.refund(object.account, { objects: 1, recordBytes: object.recordBytes });
  }

  #onContentGone(content: Content): void {
    const shelf = this.#shelves.get(content.shelf);
    const key = contentKey(content);
    if (shelf?.contents.get(key) === content) shelf.contents.delete(key);
    this.#tidy(content.shelf);
    this.quota.refund(content.account, { bytes: content.heldBytes });
    this.closer.close(content.fd, content.heldBytes);
  }

  #shelf(id: number): Shelf {
    let shelf = this.#shelves.get(id);
    if (shelf === undefined) {
      shelf = new Shelf();
      this.#shelves.set(id, shelf);
    }
    return shelf;
  }

  #tidy(id: number): void {
    if (this.#shelves.get(id)?.empty) this.#shelves.delete(id);
  }
}

function findOn(
  shelf: Shelf,
  caller: Caller,
  selector: Selector,
  rights: readonly Sight[],
): StoredObject | undefined {
  if (selector.by === 'id') {
    const object = shelf.byId.get(selector.id);
    if (object !== undefined && !rights.some((right) => may(right, object, caller)))
      throw accessDenied(selector, rights);
    return object;
  }
  const versions =
    selector.by === 'name' ? shelf.names.get(selector.name) : shelf.digests.get(selector.digest);
  // Objects with one digest may have any names: what is granted by name alone could only be found by searching them all.
  const granted = rights.some((right) =>
    selector.by === 'name' ? caller.rights.grants(right, selector.name) : caller.rights.grantsAll(right),
  );
  const newest = versions?.newest(caller, granted);
  if (newest === undefined && versions !== undefined) throw accessDenied(selector, rights);
  return newest;
}

function contentKey({ uid, digest }: Content): string {
  return `${uid}:${digest}`;
}

function describeOwner({ owner, uid }: StoredObject): string {
  return owner === undefined ? `user ${uid}` : `job ${JSON.stringify(owner)}`;
}

function index(versionsByKey: Map<string, Versions>, key: string, object: StoredObject): void {
  let versions = versionsByKey.get(key);
  if (versions === undefined) {
    versions = new Versions();
    versionsByKey.set(key, versions);
  }
  versions.add(object);
}

function unindex(versionsByKey: Map<string, Versions>, key: string, object: StoredObject): void {
  const versions = versionsByKey.get(key);
  versions?.remove(object);
  if (versions?.empty) versionsByKey.delete(key);
}

/** The refusal of what a selector names, to a caller that has none of the rights. */
export function accessDenied(selector: Selector, rights: readonly Sight[]): SealaneError {
  // Who may not get an object may still be granted to see it.
  const what = rights.includes('get') ? 'get' : 'see';
  return new SealaneError(
    'ERR_SEALANE_ACCESS_DENIED',
    `the object with ${describeSelector(selector)} belongs to another job or user, and this caller is not allowed to ${what} it`,
  );
}

/** For messages; a name may be as long as 64 KiB, so it is cut. */
function describeSelector(selector: Selector): string {
  if (selector.by === 'id') return `id ${selector.id}`;
  if (selector.by === 'digest') return `digest sha256:${selector.digest}`;
  return `name ${JSON.stringify(selector.name.length > 120 ? `${selector.name.slice(0, 117)}...` : selector.name)}`;
}
