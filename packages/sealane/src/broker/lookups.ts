/** get, stat and drop: requests about one object. Own nothing beyond what is pending. */
import type { DropRequest, GetRequest, StatRequest } from '../wire/index.js';
import { may } from './access.js';
import { withDigests } from './digesting.js';
import type { StoredObject } from './object.js';
import type { Ticket } from './outstanding.js';
import type { Session } from './session.js';
import { accessDenied } from './store.js';
import { ParkedGet } from './waiters.js';
import { chargeWaiter } from './watching.js';

export function handleGet(session: Session, request: GetRequest): void {
  const { store } = session.services;
  const { requestId, selector } = request;
  const newest =
    request.wait && selector.by === 'name'
      ? store.newest(session, selector.name)
      : store.find(session, selector, 'get');
  if (newest !== undefined) replyWithContent(session, requestId, newest);
  else if (selector.by === 'name') park(session, { requestId, type: 'get' }, selector.name);
}

export function handleStat(session: Session, request: StatRequest): void {
  const object = session.services.store.find(session, request.selector, 'list');
  const { requestId } = request;
  const answer = (): void => {
    // Digests take time: a new policy may have come.
    if (may('list', object, session)) session.reply({ type: 'stat', requestId, object: object.info() });
    else session.fail({ requestId, type: 'stat' }, accessDenied(request.selector, ['list']));
  };
  if (request.digest) withDigests(session, { requestId, type: 'stat' }, [object], answer);
  else answer();
}

export function handleDrop(session: Session, request: DropRequest): void {
  const { store } = session.services;
  const object = store.findToDrop(session, request.selector);
  const info = object.info();
  store.drop(object);
  session.reply({ type: 'drop', requestId: request.requestId, object: info });
}

function replyWithContent(session: Session, requestId: number, object: StoredObject): void {
  session.reply({ type: 'get', requestId, object: object.info() }, object.content.fd);
}

/** Waits until an object of this name becomes visible. */
function park(session: Session, ticket: Ticket, name: string): void {
  session.outstanding.checkParking();
  const refund = chargeWaiter(session, name);
  const parked = new ParkedGet(session.services, session, name, {
    deliver(object) {
      refund();
      replyWithContent(session, ticket.requestId, object);
    },
    fail(error) {
      refund();
      session.fail(ticket, error);
    },
  });
  session.pend({
    ticket,
    parked: true,
    cancel: () => {
      parked.close();
      refund();
    },
  });
}
