/** What the audit records of a memfdbus client's request. Pure. */
import type { PeerCredentials } from '../../os/unix-socket.js';
import { MEMFDBUS_COMMAND, type MemfdbusStatus } from '../../wire/index.js';
import { type AuditOperation, type AuditRecord, type AuditResult, NOTHING } from '../audit/index.js';
import { Refusal } from './failures.js';
import type { MemfdbusRequest } from './request.js';
import type { Success } from './result.js';

const RESULTS: Readonly<Record<MemfdbusStatus, AuditResult>> = {
  ok: 'ok',
  error: 'error',
  notFound: 'not_found',
  badRequest: 'bad_request',
  forbidden: 'forbidden',
};

const OPERATIONS: ReadonlyMap<number, AuditOperation> = new Map(
  Object.entries(MEMFDBUS_COMMAND).map(([name, command]) => [command, name as AuditOperation]),
);

/** What was asked for, and what came of it. Without a request, `command` is what its header states; 0: there was none. */
export function recordOf(
  peer: PeerCredentials,
  request: MemfdbusRequest | undefined,
  command: number,
  result: Success | Refusal,
): AuditRecord {
  const asked =
    request === undefined ? { ...NOTHING, operation: operationOf(command, result) } : askedOf(request);
  if (result instanceof Refusal)
    return { ...asked, result: RESULTS[result.status], error: result.text, peer };
  if (result.op === 'list') {
    const { count } = result.list;
    return { ...asked, result: 'ok', size: count, count, peer };
  }
  const { id, name = null, content } = result.object;
  const found = { objectId: id, name, size: content.size, digest: content.digest ?? null };
  return { ...asked, result: 'ok', ...found, peer };
}

/** A connection that was refused, or given up for others, before it asked for anything. */
export function refusalRecord(peer: PeerCredentials, { status, text }: Refusal): AuditRecord {
  return { ...NOTHING, operation: 'connect', result: RESULTS[status], error: text, peer };
}

function operationOf(command: number, result: Success | Refusal): AuditOperation {
  const refused = result instanceof Refusal && (result.ofConnection || result.status === 'forbidden');
  return OPERATIONS.get(command) ?? (refused ? 'connect' : 'unknown');
}

type Asked = Omit<AuditRecord, 'result' | 'peer'>;

function askedOf(request: MemfdbusRequest): Asked {
  const base = { ...NOTHING, operation: request.type, jobId: request.job ?? null };
  if (request.type === 'list') return base;
  if (request.type === 'put')
    return { ...base, name: request.name, size: request.size, digest: request.digest };
  const { selector } = request;
  return {
    ...base,
    selector: selector.by,
    objectId: selector.by === 'id' ? selector.id : null,
    name: selector.by === 'name' ? selector.name : null,
  };
}
