/**
 * What the four commands do with the store that native clients use. Owns what a request holds until it is answered: a put
 * its content and what is charged for it, the others the object that is being hashed for them.
 */
import { reopen } from '../../os/reopen.js';
import { type Caller, may } from '../access.js';
import type { StoredObject } from '../object.js';
import type { Services } from '../services.js';
import { isOutOfDescriptors, Refusal } from './failures.js';
import { Listing } from './listing.js';
import { startPut } from './put.js';
import type { MemfdbusLookup, MemfdbusRequest } from './request.js';
import type { Success } from './result.js';
import type { Turns } from './turns.js';

/** On whose behalf, in whose turns, and against whose account lists are written. */
export interface MemfdbusCaller extends Caller {
  readonly turns: Turns;
  /** Takes memory for the text of a list. Throws a Refusal when there is none left for this caller. */
  takeListBytes(bytes: number): void;
  /** Gives back all of it. */
  returnListBytes(): void;
}

/** Where the result goes. One of the two is called once, perhaps before the request's function returns. */
export interface Outcome {
  /** Takes the descriptor of the result. */
  succeed(success: Success): void;
  fail(error: unknown): void;
}

/** Gives a request up: there is no result after that. */
export type Cancel = () => void;

/**
 * Does what a request asks for. Takes the descriptor, which a put must have. Undefined: there is nothing to give up any more.
 * Throws what fails the request at once.
 */
export function perform(
  services: Services,
  caller: MemfdbusCaller,
  request: MemfdbusRequest,
  descriptor: number | undefined,
  outcome: Outcome,
): Cancel | undefined {
  services.store.sweep();
  switch (request.type) {
    case 'put':
      if (descriptor === undefined) throw Refusal.of('missing memfd descriptor');
      return startPut(services, caller, request, descriptor, outcome);
    case 'get':
      return get(services, caller, request, outcome);
    case 'drop':
      return drop(services, caller, request, outcome);
    default:
      return new Listing(services, caller, outcome).start();
  }
}

/** An object without digest is hashed first. */
function get(
  services: Services,
  caller: MemfdbusCaller,
  { selector }: MemfdbusLookup,
  outcome: Outcome,
): Cancel | undefined {
  const object = services.store.find(caller, selector, 'get');
  if (object.content.digest !== undefined) {
    handOver(object, outcome);
    return undefined;
  }
  const wait = services.digests.request(object.content, caller.turns.digests, (error) => {
    if (error !== undefined) outcome.fail(error);
    // Digests take time: a new policy may have come.
    else if (may('get', object, caller)) handOver(object, outcome);
    else outcome.fail(Refusal.of('access denied'));
    object.release();
  });
  object.hold();
  return () => {
    wait.cancel();
    object.release();
  };
}

function handOver(object: StoredObject, outcome: Outcome): void {
  let descriptor: number;
  try {
    descriptor = reopenContent(object.content.fd);
  } catch (error) {
    outcome.fail(error);
    return;
  }
  outcome.succeed({ op: 'get', object, descriptor });
}

/** A C program reads through the descriptor's own offset: it gets one that nobody else moves. */
function reopenContent(fd: number): number {
  try {
    return reopen(fd);
  } catch (error) {
    throw isOutOfDescriptors(error) ? error : Refusal.of('failed to reopen object fd');
  }
}

function drop(
  { store }: Services,
  caller: MemfdbusCaller,
  { selector }: MemfdbusLookup,
  outcome: Outcome,
): undefined {
  const object = store.findToDrop(caller, selector).hold();
  store.drop(object);
  outcome.succeed({ op: 'drop', object });
  object.release();
}
