/**
 * list for a memfdbus client: one text with a line for each object that the caller may see, in the order of ids. It has no pages, so
 * objects are looked through, hashed and written down in portions between which others are served.
 * Owns the text until it is handed out, and a hold on the one object that is being hashed for it.
 */
import type { SealaneError } from '../../base/errors.js';
import { escapeMemfdbusText } from '../../wire/index.js';
import { may, type Rights } from '../access.js';
import type { DigestWait } from '../digests.js';
import type { StoredObject } from '../object.js';
import { Scan, type ScanOwner } from '../scan.js';
import type { Services } from '../services.js';
import { type Budget, matchUnits } from '../work.js';
import type { Cancel, MemfdbusCaller, Outcome } from './commands.js';
import { Refusal } from './failures.js';

/** What a line costs beside the length of its texts, in units of work. */
const LINE_UNITS = 10;

/** Lines are joined to pieces of about this many bytes: few enough to be quick, large enough to be few. */
const PIECE_BYTES = 65_536;

export class Listing implements ScanOwner {
  /** Not while an object is being hashed: the scan stops there. */
  asked = true;
  closed = false;
  #rights: Rights;
  #scan: Scan;
  #pieces: Uint8Array[] = [];
  #lines: string[] = [];
  #lineBytes = 0;
  #textBytes = 0;
  #count = 0;
  #hashing: { readonly object: StoredObject; readonly wait: DigestWait } | undefined;

  constructor(
    private readonly services: Services,
    private readonly caller: MemfdbusCaller,
    private readonly outcome: Outcome,
  ) {
    this.#rights = caller.rights;
    this.#scan = this.#makeScan();
  }

  start(): Cancel {
    this.#scan.start();
    return () => this.#end();
  }

  scanFailed(error: unknown): void {
    if (this.closed) return;
    this.#end();
    this.outcome.fail(error);
  }

  scanFinished(): void {
    if (this.closed) return;
    if (this.#rights !== this.caller.rights) {
      this.#startAnew();
      return;
    }
    this.#joinLines();
    this.#end();
    const list = { count: this.#count, bytes: this.#textBytes, pieces: this.#pieces };
    this.outcome.succeed({ op: 'list', list });
  }

  #makeScan(): Scan {
    const { services, caller } = this;
    const take = (object: StoredObject, budget: Budget): void => this.#take(object, budget);
    const place = { shelf: caller.shelf, lane: caller.turns.work };
    return new Scan(this, services, place, 0, take, services.store.lastId);
  }

  /** A new policy came: what is written down may not be granted any more. */
  #startAnew(): void {
    this.caller.returnListBytes();
    this.#rights = this.caller.rights;
    [this.#pieces, this.#lines] = [[], []];
    [this.#lineBytes, this.#textBytes, this.#count] = [0, 0, 0];
    this.#scan = this.#makeScan();
    this.#scan.start();
  }

  /** Throws what fails the list. */
  #take(object: StoredObject, budget: Budget): void {
    if (!may('list', object, this.caller, budget)) return;
    if (object.content.digest === undefined) this.#hash(object);
    else budget.units -= this.#write(object);
  }

  #hash(object: StoredObject): void {
    const { services, caller } = this;
    const wait = services.digests.request(object.content, caller.turns.digests, (error) =>
      this.#onDigest(error),
    );
    this.#hashing = { object: object.hold(), wait };
    this.asked = false;
  }

  #onDigest(error: SealaneError | undefined): void {
    const object = this.#hashing?.object;
    this.#hashing = undefined;
    try {
      if (error !== undefined) throw error;
      if (object?.dropped === false) this.#write(object);
    } catch (failure) {
      this.scanFailed(failure);
    }
    object?.release();
    this.asked = true;
    if (!this.closed) this.#scan.start();
  }

  /** Returns the cost in units of work. Throws the Refusal of a list that is too large. */
  #write(object: StoredObject): number {
    const line = lineOf(object);
    const bytes = Buffer.byteLength(line);
    if (this.#textBytes + bytes > this.services.settings.maxMemfdbusListBytes)
      throw Refusal.of('list response too large');
    this.caller.takeListBytes(bytes);
    this.#count++;
    this.#textBytes += bytes;
    this.#lines.push(line);
    this.#lineBytes += bytes;
    if (this.#lineBytes >= PIECE_BYTES) this.#joinLines();
    return LINE_UNITS + matchUnits(line.length);
  }

  #joinLines(): void {
    this.#pieces.push(Buffer.from(this.#lines.join('')));
    this.#lines = [];
    this.#lineBytes = 0;
  }

  #end(): void {
    this.closed = true;
    this.#hashing?.wait.cancel();
    this.#hashing?.object.release();
    this.#hashing = undefined;
  }
}

function lineOf({ id, owner, allowed, content, name = '' }: StoredObject): string {
  const allowedText = allowed.length === 0 ? '-' : allowed.map(escapeJob).join(',');
  const ownerText = owner === undefined ? '-' : escapeMemfdbusText(owner);
  return `${id}\towner=${ownerText}\tallowed=${allowedText}\t${content.size}\tsha256:${content.digest}\t${escapeMemfdbusText(name)}\n`;
}

/** Jobs are joined by commas: one that is part of a job is written as a C escape too. */
function escapeJob(job: string): string {
  return escapeMemfdbusText(job).replaceAll(',', '\\054');
}
