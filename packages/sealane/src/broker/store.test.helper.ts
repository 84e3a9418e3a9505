/** For tests: a store whose descriptors are numbers only, and what it closed. */
import type { Caller } from './access.js';
import { UserRights } from './authority.js';
import type { Content } from './content.js';
import type { ObjectDraft, StoredObject } from './object.js';
import { type Account, Quota, type QuotaLimits } from './quota.js';
import { Store } from './store.js';

const UNLIMITED: QuotaLimits = {
  maxObjects: 1e9,
  maxObjectsPerUser: 1e9,
  maxBytes: 1e15,
  maxBytesPerUser: 1e15,
  maxRecordBytes: 1e15,
  maxRecordBytesPerUser: 1e15,
};

/** Bytes of every object that a test puts. */
export const OBJECT_BYTES = 8;

/** What a test's record is charged as. */
const RECORD_BYTES = 100;

/** A caller without a policy. */
export function callerOf(uid: number, job?: string): Caller {
  return { uid, shelf: uid, job, rights: new UserRights(uid) };
}

export class TestStore {
  readonly quota: Quota;
  /** The descriptors that were closed, in order. */
  readonly closed: number[] = [];
  readonly store: Store;
  #lastFd = 1_000;

  constructor(limits: Partial<QuotaLimits> = {}) {
    this.quota = new Quota({ ...UNLIMITED, ...limits });
    this.store = new Store(this.quota, { close: (fd) => void this.closed.push(fd) });
  }

  admit(account: Account): Content {
    this.quota.charge(account, { objects: 1, bytes: OBJECT_BYTES, recordBytes: RECORD_BYTES });
    return this.store.admit(account, ++this.#lastFd, OBJECT_BYTES);
  }

  admitFor(uid: number): Content {
    return this.admit({ uid, shelf: uid });
  }

  put(uid: number, name: string | undefined, fields: Partial<ObjectDraft> = {}): StoredObject {
    return this.insert(this.admitFor(uid), name, fields);
  }

  insert(content: Content, name: string | undefined, fields: Partial<ObjectDraft> = {}): StoredObject {
    return this.store.insert(content, content.account, {
      name,
      owner: undefined,
      allowed: [],
      metadata: {},
      ttlMs: undefined,
      infoBytes: 500,
      recordBytes: RECORD_BYTES,
      ...fields,
    });
  }
}
