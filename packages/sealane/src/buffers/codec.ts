/** How metadata becomes bytes and back. Owns nothing. */
import { describe, invalidArgument, SealaneError } from '../base/errors.js';

/** Turns metadata into bytes: what a publisher needs of a codec. */
export interface MetadataEncoder<Meta> {
  /** The bytes, which are copied at once: it may return the same array each time. */
  encode(meta: Meta): Uint8Array;
  /**
   * Where there is one, pools call it instead of `encode`: writes the bytes to the begin of `into`, which is the frame's own memory with room for
   * `maxBytes`, and returns how many they are. So a frame can be sent without any allocation. What it throws leaves the buffer unsent.
   */
  encodeInto?(meta: Meta, into: Uint8Array): number;
}

/** Turns bytes into metadata: what a subscriber needs of a codec. */
export interface MetadataDecoder<Meta> {
  /**
   * The metadata. The bytes are a peer's, to be checked, and in its memory, which serves another frame later: they are copied from, not
   * kept. Whatever this throws reaches the receiver as the cause of ERR_SEALANE_PROTOCOL. `used`, only for {@link BufferSubscriber.receiveHot}: what this
   * returned for an earlier frame in the same buffer, which nobody needs any more: return it anew, filled with the new values, and nothing is allocated.
   */
  decode(bytes: Uint8Array, used?: Meta): Meta;
}

/** Turns metadata into bytes, and back. `Input`: what may be encoded, where more is decoded of it. */
export interface MetadataCodec<Meta, Input = Meta> extends MetadataEncoder<Input>, MetadataDecoder<Meta> {}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Any value that JSON can hold. */
export function jsonMetadata<Meta>(): MetadataCodec<Meta> {
  return {
    encode(meta) {
      const text = jsonOf(meta);
      if (text === undefined) throw invalidArgument('meta', 'be a value that JSON can hold', meta);
      return encoder.encode(text);
    },
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as Meta,
  };
}

/** Cycles and BigInts are what JSON can't hold; a toJSON method may throw anything. */
function jsonOf(meta: unknown): string | undefined {
  try {
    return JSON.stringify(meta);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : describe(cause);
    throw new SealaneError(
      'ERR_SEALANE_INVALID_ARGUMENT',
      `meta must be a value that JSON can hold, or options.metadata a codec for it: ${why}`,
      { cause },
    );
  }
}

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless a publisher can use it. */
export function checkEncoder(codec: unknown): void {
  checkMethods(codec, 'encode');
  const { encodeInto } = codec as { readonly encodeInto?: unknown };
  if (encodeInto !== undefined && typeof encodeInto !== 'function')
    throw invalidArgument('options.metadata.encodeInto', 'be a function, if it is there', encodeInto);
}

/** Throws ERR_SEALANE_INVALID_ARGUMENT unless a subscriber can use it. */
export function checkDecoder(codec: unknown): void {
  checkMethods(codec, 'decode');
}

function checkMethods(codec: unknown, method: 'encode' | 'decode'): void {
  if (typeof codec !== 'function' && (typeof codec !== 'object' || codec === null))
    throw invalidArgument('options.metadata', `be a codec, with a method ${method}`, codec);
  const found = (codec as Readonly<Record<string, unknown>>)[method];
  if (typeof found !== 'function')
    throw invalidArgument(`options.metadata.${method}`, 'be a function', found);
}

/** Bytes as they are; the receiver gets a copy. */
export const bytesMetadata: MetadataCodec<Uint8Array> = {
  encode: (meta) => meta,
  decode: (bytes) => bytes.slice(),
};
