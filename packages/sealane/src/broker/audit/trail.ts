/**
 * What one native connection asks for, until it is answered: each request makes one record, when its outcome is known.
 * Owns a summary of each unanswered request. Trusts that the session tells every outcome.
 */
import { isSealaneError } from '../../base/errors.js';
import type { PeerCredentials } from '../../os/unix-socket.js';
import type { PutRequest, Request, Response, Selector } from '../../wire/index.js';
import { toAnswer } from '../answers.js';
import type { AuditLog } from './log.js';
import { type AuditOperation, type AuditRecord, type AuditResult, NOTHING, resultOf } from './record.js';

/** What is known of an operation before its outcome. */
type Asked = Pick<AuditRecord, 'operation' | 'selector' | 'objectId' | 'name' | 'size' | 'digest' | 'jobId'>;

type ObjectRequest = Extract<Request, { type: 'put' | 'get' | 'list' | 'drop' | 'stat' | 'watch' | 'next' }>;

export class Trail {
  /** The job that the connection acts for. */
  job: string | undefined;
  /** What is being handled. Most requests are answered meanwhile, and need not be kept. */
  #current: ObjectRequest | undefined;
  readonly #unanswered = new Map<number, Asked>();

  constructor(
    private readonly log: AuditLog,
    private readonly peer: PeerCredentials,
  ) {}

  /** A request is handled from now on. */
  begin(request: Request): void {
    this.#current = isOfObjects(request) ? request : undefined;
  }

  /** It was handled: it is answered, or will be. */
  end(): void {
    const request = this.#current;
    if (request === undefined) return;
    this.#current = undefined;
    this.#unanswered.set(request.requestId, summarize(request, this.job));
  }

  /** A request was answered. */
  answered(response: Response): void {
    const asked = this.#take(response.requestId);
    if (asked !== undefined) this.#record(asked, response, 'ok', null);
  }

  /** A request failed, and its client was told this; `answer` is what it can't be told although it was done. */
  failed(requestId: number, error: unknown, text: string, answer?: Response): void {
    const asked = this.#take(requestId);
    if (asked === undefined) return;
    // A watch that ends while it waits has delivered nothing.
    if (asked.operation === 'next' && isEnd(error)) return;
    this.#record(asked, answer, resultOf(error), text);
  }

  /** The connection sent something that can't be read, or greeted in vain, or is not admitted any more. */
  refused(operation: 'connect' | 'unknown', error: unknown): void {
    recordRefusal(this.log, this.peer, operation, error, this.job);
  }

  #take(requestId: number): Asked | undefined {
    const current = this.#current;
    if (current?.requestId === requestId) {
      this.#current = undefined;
      return summarize(current, this.job);
    }
    const asked = this.#unanswered.get(requestId);
    if (asked !== undefined) this.#unanswered.delete(requestId);
    return asked;
  }

  #record(asked: Asked, answer: Response | undefined, result: AuditResult, error: string | null): void {
    const object = answer !== undefined && 'object' in answer ? answer.object : undefined;
    const count = answer?.type === 'list' ? answer.objects.length : null;
    this.log.record({
      operation: asked.operation,
      result,
      selector: asked.selector,
      objectId: object === undefined ? asked.objectId : object.id,
      name: object === undefined ? asked.name : (object.name ?? null),
      size: object === undefined ? (count ?? asked.size) : object.size,
      count,
      digest: object === undefined ? asked.digest : (object.digest ?? null),
      jobId: asked.jobId,
      error,
      peer: this.peer,
    });
  }
}

/** Records that a connection was refused, or sent something that can't be read. */
export function recordRefusal(
  log: AuditLog | undefined,
  peer: PeerCredentials,
  operation: 'connect' | 'unknown',
  error: unknown,
  job?: string,
): void {
  const { text } = toAnswer(error);
  log?.record({ ...NOTHING, operation, result: resultOf(error), jobId: job ?? null, error: text, peer });
}

function isEnd(error: unknown): boolean {
  return isSealaneError(error, 'ERR_SEALANE_ABORTED') || isSealaneError(error, 'ERR_SEALANE_CLOSED');
}

/** The others (hello, cancel, status) do nothing with objects. */
function isOfObjects(request: Request): request is ObjectRequest {
  return request.type !== 'hello' && request.type !== 'cancel' && request.type !== 'status';
}

function summarize(request: ObjectRequest, job: string | undefined): Asked {
  const jobId = job ?? null;
  switch (request.type) {
    case 'get':
    case 'stat':
    case 'drop':
      return ofSelector(request.type, request.selector, jobId);
    case 'put':
      return ofPut(request, jobId);
    case 'watch':
      return ofName('watch', request.literal ? 'name' : null, request.pattern, jobId);
    case 'list':
      return ofName('list', null, request.pattern ?? null, jobId);
    case 'next':
      return ofName('next', null, null, jobId);
  }
}

function ofSelector(operation: AuditOperation, selector: Selector, jobId: string | null): Asked {
  const { by } = selector;
  return {
    operation,
    selector: by,
    objectId: by === 'id' ? selector.id : null,
    name: by === 'name' ? selector.name : null,
    size: null,
    digest: by === 'digest' ? selector.digest : null,
    jobId,
  };
}

/** Who has no job may put for any: it acts for that one then. */
function ofPut({ name, size, digest, owner }: PutRequest, jobId: string | null): Asked {
  return {
    operation: 'put',
    selector: null,
    objectId: null,
    name: name ?? null,
    size,
    digest: digest ?? null,
    jobId: jobId ?? owner ?? null,
  };
}

function ofName(
  operation: AuditOperation,
  selector: 'name' | null,
  name: string | null,
  jobId: string | null,
): Asked {
  return { operation, selector, objectId: null, name, size: null, digest: null, jobId };
}
