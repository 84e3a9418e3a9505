/** watch, next and cancel. The watches themselves are the session's. */
import { SealaneError } from '../base/errors.js';
import { type CancelRequest, NamePattern, type NextRequest, type WatchRequest } from '../wire/index.js';
import { canceledError } from './answers.js';
import type { Ticket } from './outstanding.js';
import type { Session } from './session.js';
import { EveryVersion, NewestOfName, NewestOfPattern, type Watch } from './waiters.js';

/** A watch of a connection, and how to give back what it is charged. */
export interface OpenWatch {
  readonly watch: Watch;
  readonly refund: () => void;
}

/** Memory of one who waits, beside the text of the name or pattern: object, entry in the index, compiled pattern. */
const WAITER_BYTES = 1_024;

/** Memory of a compiled pattern for each character. */
const PATTERN_FACTOR = 6;

/** Memory of an object that waits for a watch of every version. */
const QUEUED_BYTES = 64;

/** Charges a user for the memory of one who waits. The result, which may be called again without effect, gives it back. */
export function chargeWaiter(session: Session, text: string, factor = 2, queued = 0): () => void {
  const { quota } = session.services;
  const recordBytes = WAITER_BYTES + factor * text.length + QUEUED_BYTES * queued;
  const account = session.rights.account(undefined);
  quota.charge(account, { recordBytes });
  let charged = true;
  return () => {
    if (charged) quota.refund(account, { recordBytes });
    charged = false;
  };
}

export function handleWatch(session: Session, request: WatchRequest): void {
  const { maxWatches } = session.services.settings;
  if (session.watches.size >= maxWatches) {
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `this connection has ${session.watches.size} watches, the broker's limit; end some, or start the broker with a greater maxWatches`,
    );
  }
  // What may wait for it is charged at once: else a slow consumer could take memory that nobody counts.
  const queued = request.every ? session.services.settings.maxWatchBacklog : 0;
  const refund = chargeWaiter(session, request.pattern, PATTERN_FACTOR, queued);
  try {
    session.watches.set(request.requestId, { watch: makeWatch(session, request), refund });
  } catch (error) {
    refund();
    throw error;
  }
  session.reply({ type: 'watch', requestId: request.requestId });
}

export function handleNext(session: Session, request: NextRequest): void {
  const watch = session.watches.get(request.watch)?.watch;
  if (watch === undefined)
    throw new SealaneError('ERR_SEALANE_NOT_FOUND', `this connection has no watch ${request.watch}`);
  if (watch.asked)
    throw new SealaneError('ERR_SEALANE_PROTOCOL', `a next of watch ${request.watch} is unanswered already`);
  session.outstanding.checkParking();
  const ticket: Ticket = { requestId: request.requestId, type: 'next' };
  const { requestId } = ticket;
  session.pend({ ticket, parked: true, cancel: () => watch.unask() });
  watch.ask({
    deliver: (object) => {
      const answer = { type: 'next', requestId, object: object.info() } as const;
      // The watch is past this object now: going on would skip it in silence.
      if (!session.tryReply(answer, object.content.fd)) endWatch(session, request.watch);
    },
    fail: (error) => {
      endWatch(session, request.watch);
      session.fail(ticket, error);
    },
  });
}

/** Ends a pending request or a watch, if it is still there: its answer and the cancel may have crossed. */
export function handleCancel(session: Session, request: CancelRequest): void {
  const { requestId, target } = request;
  const pending = session.outstanding.get(target);
  if (pending?.cancel !== undefined) {
    pending.cancel();
    session.fail(pending.ticket, canceledError());
  }
  endWatch(session, target);
  session.reply({ type: 'cancel', requestId });
}

/** Ends a watch, if it is still there; a next that waits for it is answered as canceled. */
export function endWatch(session: Session, id: number): void {
  const open = session.watches.get(id);
  if (open === undefined) return;
  session.watches.delete(id);
  open.watch.close();
  open.refund();
}

function makeWatch(session: Session, { pattern, literal, every, existing }: WatchRequest): Watch {
  const { services } = session;
  const compiled = literal ? undefined : new NamePattern(pattern);
  const name = compiled === undefined ? pattern : compiled.literal;
  if (every) {
    return new EveryVersion(
      services,
      session,
      name ?? compiled ?? pattern,
      existing,
      services.settings.maxWatchBacklog,
    );
  }
  if (name !== undefined || compiled === undefined)
    return new NewestOfName(services, session, name ?? pattern, existing);
  return new NewestOfPattern(services, session, compiled, existing);
}
