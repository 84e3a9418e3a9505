// What all measurements of buffers hand over: 1080p RGBA frames in sealed memory, and 64 bytes of metadata that carry a number.
import type { MetadataCodec } from 'sealane';
import { CONTROL_SEALS, Memfd } from 'sealane/internal';

/** 1920 x 1080 pixels of 4 bytes. */
export const FRAME_BYTES = 1920 * 1080 * 4;

/** Of metadata. */
export const META_BYTES = 64;

/** A frame whose memory is all there, and that others may map. */
export function makeFrame(): Memfd {
  const memfd = Memfd.create('sealane-bench-frame', FRAME_BYTES);
  memfd.write(new Uint8Array(FRAME_BYTES).fill(1), 0);
  memfd.seal(CONTROL_SEALS);
  return memfd;
}

const encoded = new Uint8Array(META_BYTES);

/** Metadata that is a number of 32 bits: encoding and decoding it costs next to nothing. */
export const numberMetadata: MetadataCodec<number> = {
  encode(value) {
    encoded[0] = value;
    encoded[1] = value >> 8;
    encoded[2] = value >> 16;
    encoded[3] = value >> 24;
    return encoded;
  },
  decode: (bytes) =>
    (bytes[0] as number) |
    ((bytes[1] as number) << 8) |
    ((bytes[2] as number) << 16) |
    ((bytes[3] as number) << 24),
};
