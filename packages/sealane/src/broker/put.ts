/**
 * put: takes a sealed descriptor, charges it, hashes it if asked to, and adds an object.
 * Owns the descriptor from its arrival until the store has it. Trusts nothing: kind, seals, size and digest are verified.
 */
import { SealaneError } from '../base/errors.js';
import { heldBytes, requireBlobDescriptor } from '../os/descriptor.js';
import type { PutRequest } from '../wire/index.js';
import { ownerOfPut } from './access.js';
import { chargeOrShed } from './charge.js';
import type { Content } from './content.js';
import { measureDraft } from './draft.js';
import type { ObjectDraft } from './object.js';
import type { BrokerSettings } from './options.js';
import type { Ticket } from './outstanding.js';
import type { Account } from './quota.js';
import type { Session } from './session.js';

/** Takes the one descriptor that came. */
export function handlePut(session: Session, request: PutRequest, descriptors: readonly number[]): void {
  const [fd = -1] = descriptors;
  const { store, closer } = session.services;
  let admitted: Admitted;
  try {
    admitted = admit(session, request, fd);
  } catch (error) {
    closer.reject(fd);
    throw error;
  }
  const content = store.admit(admitted.account, fd, request.size, admitted.bytes);
  if (request.contentAddressed || request.digest !== undefined) {
    new Verification(session, request, content, admitted).start();
  } else {
    publish(session, request, content, admitted);
  }
}

/** What a put will add, and whom it is charged to already. */
interface Admitted {
  readonly draft: ObjectDraft;
  readonly account: Account;
  /** Of memory, for the content. */
  readonly bytes: number;
}

/** Checks everything but the digest, and charges for it. */
function admit(session: Session, request: PutRequest, fd: number): Admitted {
  const { services, rights } = session;
  const draft = draftOf(session, request);
  checkLimits(services.settings, request, draft);
  const account = rights.account(draft.owner);
  // What is called as its digest is known by name only when that is computed.
  if (draft.name !== undefined || !request.contentAddressed) rights.checkPut(draft.name);
  const bytes = heldBytes(requireBlobDescriptor(fd, request.size));
  chargeOrShed(services, account, { objects: 1, bytes, recordBytes: draft.recordBytes });
  return { draft, account, bytes };
}

function draftOf(session: Session, request: PutRequest): ObjectDraft {
  return measureDraft({ ...request, owner: ownerOfPut(session.job, request.owner, request.allowed) });
}

function checkLimits(settings: BrokerSettings, request: PutRequest, draft: ObjectDraft): void {
  checkLimit(
    'the name',
    Buffer.byteLength(request.name ?? ''),
    'bytes',
    'maxNameBytes',
    settings.maxNameBytes,
  );
  checkLimit('the object', request.size, 'bytes', 'maxObjectBytes', settings.maxObjectBytes);
  checkLimit('the object', request.allowed.length, 'allowed jobs', 'maxAllowedJobs', settings.maxAllowedJobs);
  checkLimit('the description', draft.infoBytes, 'bytes', 'maxMessageBytes', settings.maxMessageBytes);
}

function checkLimit(
  what: string,
  amount: number,
  unit: string,
  option: keyof BrokerSettings,
  limit: number,
): void {
  if (amount <= limit) return;
  throw new SealaneError(
    'ERR_SEALANE_LIMIT_EXCEEDED',
    `${what} has ${amount} ${unit}, and the broker's limit is ${limit}; start it with a greater ${option}`,
  );
}

/** A put whose content is being hashed: owns a reference to the content, and what was charged for the object. */
class Verification {
  readonly #ticket: Ticket;

  constructor(
    private readonly session: Session,
    private readonly request: Pick<PutRequest, 'requestId' | 'digest' | 'contentAddressed'>,
    private readonly content: Content,
    private readonly admitted: Admitted,
  ) {
    this.#ticket = { requestId: request.requestId, type: 'put' };
  }

  start(): void {
    const { content, session } = this;
    try {
      const wait = session.services.digests.request(content, session.lane, (error) => this.#finish(error));
      const cancel = (): void => {
        wait.cancel();
        this.#giveUp();
      };
      session.pend({ ticket: this.#ticket, parked: false, cancel });
    } catch (error) {
      this.#giveUp();
      throw error;
    }
  }

  #finish(error: SealaneError | undefined): void {
    const { session, content, request } = this;
    session.outstanding.settle(request.requestId);
    try {
      const admitted = request.contentAddressed ? this.#named() : this.admitted;
      const failure = error ?? mismatch(content, request.digest);
      if (failure !== undefined) throw failure;
      checkStillGranted(session, admitted);
      publish(session, this.#ticket, content, admitted);
    } catch (failure) {
      this.#giveUp();
      session.fail(this.#ticket, failure);
    }
  }

  /** A content-addressed object without a name is called as its digest. */
  #named(): Admitted {
    const { admitted, content } = this;
    if (admitted.draft.name !== undefined) return admitted;
    const name = `sha256:${content.digest}`;
    return { ...admitted, draft: { ...admitted.draft, name } };
  }

  #giveUp(): void {
    const { content, admitted, session } = this;
    content.release();
    session.services.quota.refund(admitted.account, { objects: 1, recordBytes: admitted.draft.recordBytes });
  }
}

/** Digests take time: a new policy may have come, and only now the name may be known. */
function checkStillGranted({ rights }: Session, { draft }: Admitted): void {
  rights.account(draft.owner);
  rights.checkPut(draft.name);
}

function mismatch(content: Content, expected: string | undefined): SealaneError | undefined {
  if (expected === undefined || content.digest === expected) return undefined;
  return new SealaneError(
    'ERR_SEALANE_DIGEST_MISMATCH',
    `the content has the digest sha256:${content.digest}, and sha256:${expected} was stated`,
  );
}

/** Adds the object, leaves a note with those who wait for it, and answers. From here on the put can't be taken back. */
function publish(
  session: Session,
  { requestId }: Ticket,
  content: Content,
  { account, draft }: Admitted,
): void {
  const { store, watches } = session.services;
  const object = store.insert(store.share(content), account, draft);
  watches.announce(object);
  session.reply({ type: 'put', requestId, object: object.info() });
}
