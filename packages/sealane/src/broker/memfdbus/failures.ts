/** How failures are told to memfdbus clients: a status and a text that programs may compare. Owns the table of both. */
import { SealaneError, type SealaneErrorCode } from '../../base/errors.js';
import type { MemfdbusStatus } from '../../wire/index.js';

/** The texts that stand in the protocol's table, by their status. */
const TEXTS = {
  'name too long': 'badRequest',
  'job id too long': 'badRequest',
  'allowed job id too long': 'badRequest',
  'request payload exceeds broker limit': 'badRequest',
  'object name exceeds broker name limit': 'badRequest',
  'failed to read object name': 'badRequest',
  'name must not be empty': 'badRequest',
  'invalid object digest': 'badRequest',
  'failed to read object digest': 'badRequest',
  'allowed job requires owner job': 'badRequest',
  'failed to read job id': 'badRequest',
  'job id must not be empty': 'badRequest',
  'failed to read allowed job id': 'badRequest',
  'allowed job id must not be empty': 'badRequest',
  'missing memfd descriptor': 'badRequest',
  'descriptor is not a regular memfd-like file': 'badRequest',
  'fd is not fully immutable-sealed': 'badRequest',
  'digest mismatch': 'badRequest',
  'specify object id or name, not both': 'badRequest',
  'missing object selector': 'badRequest',
  'invalid protocol header': 'badRequest',
  'unknown command': 'badRequest',
  'object not found': 'notFound',
  'access denied': 'forbidden',
  'broker object quota exceeded': 'error',
  'list response too large': 'error',
  'broker client quota exceeded': 'error',
  // Beyond the table: names here are text, and a second descriptor of a file can fail to be had.
  'name is not valid UTF-8': 'badRequest',
  'job id is not valid UTF-8': 'badRequest',
  'allowed job id is not valid UTF-8': 'badRequest',
  'failed to reopen object fd': 'error',
  'broker is out of descriptors': 'error',
} as const satisfies Record<string, MemfdbusStatus>;

const TOO_MANY_CLIENTS = 'broker client quota exceeded' satisfies RefusalText;

/** A text of the table. */
export type RefusalText = keyof typeof TEXTS;

/** An answer that is a failure. Thrown by what looks at requests. */
export class Refusal {
  private constructor(
    readonly status: MemfdbusStatus,
    readonly text: string,
  ) {}

  static of(text: RefusalText): Refusal {
    return new Refusal(TEXTS[text], text);
  }

  /** Whether the connection was refused, whatever it asked for: the answer states no command then. */
  get ofConnection(): boolean {
    return this.text === TOO_MANY_CLIENTS;
  }

  /** The two sizes are what differs: in bytes, that of the header and that of the file. */
  static sizeMismatch(stated: bigint, actual: number): Refusal {
    return new Refusal('badRequest', `size mismatch: header=${stated} fd=${actual}`);
  }

  /** For whatever was thrown. A failure that the table does not know is told with its own message. */
  static from(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (!(error instanceof SealaneError))
      return new Refusal('error', `the broker failed unexpectedly: ${String(error)}`);
    const text = isOutOfDescriptors(error) ? 'broker is out of descriptors' : TEXT_BY_CODE[error.code];
    return text === undefined ? new Refusal('error', error.message) : Refusal.of(text);
  }
}

/** Whether the process or the machine has no descriptor left. */
export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof SealaneError && (error.errnoName === 'EMFILE' || error.errnoName === 'ENFILE');
}

const TEXT_BY_CODE: Partial<Record<SealaneErrorCode, RefusalText>> = {
  ERR_SEALANE_NOT_FOUND: 'object not found',
  ERR_SEALANE_ACCESS_DENIED: 'access denied',
  ERR_SEALANE_UNTRUSTED_PEER: 'access denied',
  ERR_SEALANE_LIMIT_EXCEEDED: 'broker object quota exceeded',
  ERR_SEALANE_NOT_SEALED: 'fd is not fully immutable-sealed',
  ERR_SEALANE_WRONG_DESCRIPTOR: 'descriptor is not a regular memfd-like file',
};
