/**
 * What came of a request, and how that is said on the wire. Owns nothing: a descriptor that it carries belongs to whoever holds
 * the result, and then to whoever holds the answer.
 */
import { closeDescriptor } from '../../os/descriptor.js';
import { encodeMemfdbus, encodeMemfdbusHeader, MEMFDBUS_COMMAND, MEMFDBUS_STATUS } from '../../wire/index.js';
import type { StoredObject } from '../object.js';
import type { Refusal } from './failures.js';
import type { Answer } from './sender.js';

/** The text of a list. */
export interface ListText {
  /** Objects in it: all that the caller may see. */
  readonly count: number;
  readonly bytes: number;
  readonly pieces: readonly Uint8Array[];
}

/** What a request achieved. */
export type Success =
  | { readonly op: 'put' | 'drop'; readonly object: StoredObject }
  | { readonly op: 'get'; readonly object: StoredObject; readonly descriptor: number }
  | { readonly op: 'list'; readonly list: ListText };

/** The answer of a success. Takes its descriptor. */
export function answerOf(success: Success): Answer {
  switch (success.op) {
    case 'list':
      return answerOfList(success.list);
    case 'get':
      return answerOfGet(success.object, success.descriptor);
    default:
      return { pieces: [encodeMemfdbus(MEMFDBUS_COMMAND[success.op], fieldsOf(success.object))] };
  }
}

/** The answer of a failure to a request of this command; 0 when no request could be read. */
export function answerOfRefusal(command: number, { status, text, ofConnection }: Refusal): Answer {
  const fields = { status: MEMFDBUS_STATUS[status] };
  const message = encodeMemfdbus(ofConnection ? 0 : command, fields, { text: Buffer.from(text) });
  return { pieces: [message] };
}

function answerOfList({ bytes, pieces }: ListText): Answer {
  return { pieces: [encodeMemfdbusHeader(MEMFDBUS_COMMAND.list, { textBytes: bytes }), ...pieces] };
}

function answerOfGet(object: StoredObject, descriptor: number): Answer {
  try {
    const payload = {
      name: Buffer.from(object.name ?? ''),
      text: Buffer.from(`sha256:${object.content.digest}`),
    };
    return { pieces: [encodeMemfdbus(MEMFDBUS_COMMAND.get, fieldsOf(object), payload)], descriptor };
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

function fieldsOf({ id, content }: StoredObject): { objectId: bigint; size: bigint } {
  return { objectId: BigInt(id), size: BigInt(content.size) };
}
