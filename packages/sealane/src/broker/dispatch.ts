/**
 * From a request to its handler. Owns nothing; makes sure that every request is answered or pending, that the descriptors
 * that came along have exactly one owner, and that no failure of one request harms anything else.
 */
import { SealaneError } from '../base/errors.js';
import { disposeDescriptors } from '../os/descriptor.js';
import {
  type HelloRequest,
  type Request,
  type RequestType,
  requestDescriptors,
  type StatusRequest,
} from '../wire/index.js';
import { handleList } from './listing.js';
import { handleDrop, handleGet, handleStat } from './lookups.js';
import { handlePut } from './put.js';
import type { Session } from './session.js';
import { handleCancel, handleNext, handleWatch } from './watching.js';

/** What comes after the hello. */
export type Greeted = Exclude<Request, HelloRequest>;

/** Handles a request. Takes the descriptors. `lost`: the kernel could not hand over all that were sent. */
export function dispatch(session: Session, request: Greeted, descriptors: number[], lost: boolean): void {
  try {
    checkDescriptors(request, descriptors.length, lost);
  } catch (error) {
    disposeDescriptors(descriptors);
    session.fail(request, error);
    return;
  }
  try {
    session.services.store.sweep();
    handle(session, request, descriptors);
  } catch (error) {
    session.fail(request, error);
  }
}

/** By type; hello is the session's own. */
const HANDLERS: {
  readonly [Type in Exclude<RequestType, 'hello'>]: (
    session: Session,
    request: Extract<Request, { type: Type }>,
    descriptors: readonly number[],
  ) => void;
} = {
  put: handlePut,
  get: handleGet,
  stat: handleStat,
  drop: handleDrop,
  list: handleList,
  watch: handleWatch,
  next: handleNext,
  cancel: handleCancel,
  status: handleStatus,
};

function handle(session: Session, request: Greeted, descriptors: readonly number[]): void {
  // The table pairs each type with its handler, which the compiler can't follow through an index.
  const handler = HANDLERS[request.type] as (
    session: Session,
    request: Request,
    descriptors: readonly number[],
  ) => void;
  handler(session, request, descriptors);
}

function handleStatus(session: Session, { requestId }: StatusRequest): void {
  session.reply({ type: 'status', requestId, ...session.services.status(session.uid) });
}

function checkDescriptors(request: Request, count: number, lost: boolean): void {
  const expected = requestDescriptors(request.type);
  if (lost && count <= expected) {
    throw new SealaneError(
      'ERR_SEALANE_EXHAUSTED',
      'the broker has no descriptor left to receive one; try again later, or raise its `ulimit -n`',
    );
  }
  if (count === expected && !lost) return;
  throw new SealaneError(
    'ERR_SEALANE_WRONG_DESCRIPTOR',
    `a ${request.type} came with ${lost ? 'more than ' : ''}${count} descriptors; it must come with ${expected === 0 ? 'none' : 'exactly one'}`,
  );
}
