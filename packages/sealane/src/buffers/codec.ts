/** How metadata becomes bytes and back. Owns nothing. */
import { invalidArgument } from '../base/errors.js';

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
      const text = JSON.stringify(meta);
      if (text === undefined) throw invalidArgument('meta', 'be a value that JSON can hold', meta);
      return encoder.encode(text);
    },
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as Meta,
  };
}

/** Bytes as they are; the receiver gets a copy. */
export const bytesMetadata: MetadataCodec<Uint8Array> = {
  encode: (meta) => meta,
  decode: (bytes) => bytes.slice(),
};
