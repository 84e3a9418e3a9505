/**
 * put of a memfdbus client: checks a sealed descriptor in the protocol's order, charges it, verifies its digest, and adds an object.
 * Owns the descriptor from the start until the store has it. Trusts nothing.
 */
import type { SealaneError } from '../../base/errors.js';
import {
  BLOB_SEALS,
  type DescriptorInfo,
  heldBytes,
  inspect,
  requireBlobDescriptor,
} from '../../os/descriptor.js';
import { ownerOfPut } from '../access.js';
import { chargeOrShed } from '../charge.js';
import type { Content } from '../content.js';
import type { DigestWait } from '../digests.js';
import { measureDraft } from '../draft.js';
import type { ObjectDraft } from '../object.js';
import type { BrokerSettings } from '../options.js';
import type { Account } from '../quota.js';
import type { Services } from '../services.js';
import type { Cancel, MemfdbusCaller, Outcome } from './commands.js';
import { Refusal } from './failures.js';
import type { MemfdbusPut } from './request.js';

/** Takes the descriptor. The result gives the put up. Throws what fails it at once. */
export function startPut(
  services: Services,
  caller: MemfdbusCaller,
  request: MemfdbusPut,
  fd: number,
  outcome: Outcome,
): Cancel {
  let admitted: Admitted;
  let bytes: number;
  const size = Number(request.size);
  try {
    admitted = admit(services, caller, request);
    bytes = heldBytes(checkDescriptor(fd, request.size));
    if (size > services.settings.maxObjectBytes) throw Refusal.of('broker object quota exceeded');
    chargeOrShed(services, admitted.account, {
      objects: 1,
      bytes,
      recordBytes: admitted.draft.recordBytes,
    });
  } catch (error) {
    services.closer.reject(fd);
    throw error;
  }
  const content = services.store.admit(admitted.account, fd, size, bytes);
  const verification = new Verification(services, caller, request.digest, content, admitted, outcome);
  verification.start();
  return () => verification.cancel();
}

/** What a put will add, and whom it is charged to. */
interface Admitted {
  readonly draft: ObjectDraft;
  readonly account: Account;
}

/** Throws unless the caller may put such an object. */
function admit({ settings }: Services, caller: MemfdbusCaller, request: MemfdbusPut): Admitted {
  const draft = draftOf(settings, caller, request);
  return { draft, account: checkGranted(caller, draft) };
}

/** Throws ERR_SEALANE_ACCESS_DENIED unless the caller may put such an object now: a digest takes time, and a new policy may come. */
function checkGranted({ rights }: MemfdbusCaller, { owner, name }: ObjectDraft): Account {
  const account = rights.account(owner);
  rights.checkPut(name);
  return account;
}

function draftOf(settings: BrokerSettings, caller: MemfdbusCaller, request: MemfdbusPut): ObjectDraft {
  const { name, allowed } = request;
  const owner = ownerOfPut(caller.job, undefined, allowed);
  const draft = measureDraft({ name, owner, allowed, metadata: {} });
  // Native clients must be able to hear of it.
  if (draft.infoBytes > settings.maxMessageBytes) throw Refusal.of('request payload exceeds broker limit');
  if (allowed.length > settings.maxAllowedJobs) throw Refusal.of('broker object quota exceeded');
  return draft;
}

/** In this order: a regular file of the stated size, a memfd, and sealed. */
function checkDescriptor(fd: number, size: bigint): DescriptorInfo {
  const info = inspectFile(fd);
  if (!info.regular) throw Refusal.of('descriptor is not a regular memfd-like file');
  if (BigInt(info.size) !== size) throw Refusal.sizeMismatch(size, info.size);
  if (info.seals !== -1 && (info.seals & BLOB_SEALS) !== BLOB_SEALS)
    throw Refusal.of('fd is not fully immutable-sealed');
  return requireBlobDescriptor(fd, info.size);
}

function inspectFile(fd: number): DescriptorInfo {
  try {
    return inspect(fd);
  } catch {
    throw Refusal.of('descriptor is not a regular memfd-like file');
  }
}

/** A put whose content is being hashed: owns a reference to the content, and what was charged for the object. */
class Verification {
  #wait: DigestWait | undefined;

  constructor(
    private readonly services: Services,
    private readonly caller: MemfdbusCaller,
    private readonly digest: string,
    private readonly content: Content,
    private readonly admitted: Admitted,
    private readonly outcome: Outcome,
  ) {}

  start(): void {
    const { services, caller, content } = this;
    try {
      this.#wait = services.digests.request(content, caller.turns.digests, (error) => this.#finish(error));
    } catch (error) {
      this.#giveUp();
      throw error;
    }
  }

  /** Without effect once the object is added. */
  cancel(): void {
    const wait = this.#wait;
    this.#wait = undefined;
    if (wait === undefined) return;
    wait.cancel();
    this.#giveUp();
  }

  #finish(error: SealaneError | undefined): void {
    this.#wait = undefined;
    try {
      if (error !== undefined) throw error;
      if (this.content.digest !== this.digest) throw Refusal.of('digest mismatch');
      checkGranted(this.caller, this.admitted.draft);
    } catch (failure) {
      this.#giveUp();
      this.outcome.fail(failure);
      return;
    }
    this.#publish();
  }

  /** Adds the object, tells those who wait for it, and answers. From here on the put can't be taken back. */
  #publish(): void {
    const { store, watches } = this.services;
    const { account, draft } = this.admitted;
    const object = store.insert(store.share(this.content), account, draft);
    watches.announce(object);
    this.outcome.succeed({ op: 'put', object });
  }

  #giveUp(): void {
    const { account, draft } = this.admitted;
    this.content.release();
    this.services.quota.refund(account, { objects: 1, recordBytes: draft.recordBytes });
  }
}
