/**
 * Metadata of frames as a codec for buffers. A camera says the same of each picture but for its number and its time: what is like the frame before in the same
 * buffer was checked then, and is compared instead, which allocates nothing. Owns the memory in which it compares. Trusts nothing that it decodes.
 */
import { invalidArgument } from '../base/errors.js';
import {
  FRAME_ACQUIRE_FENCE_AT,
  FRAME_BYTES,
  FRAME_CLOCK_AT,
  FRAME_DAMAGED,
  FRAME_FIRST_PLANE_AT,
  FRAME_FLAGS_AT,
  FRAME_FOURCC_AT,
  FRAME_HEIGHT_AT,
  FRAME_MAGIC,
  FRAME_MAGIC_AT,
  FRAME_MATRIX_AT,
  FRAME_MAX_PLANES,
  FRAME_MODIFIER_AT,
  FRAME_PLANE_BYTES,
  FRAME_PLANE_DESCRIPTOR_AT,
  FRAME_PLANE_LENGTH_AT,
  FRAME_PLANE_OFFSET_AT,
  FRAME_PLANE_STRIDE_AT,
  FRAME_PLANES_AT,
  FRAME_PRIMARIES_AT,
  FRAME_RANGE_AT,
  FRAME_RELEASE_FENCE_AT,
  FRAME_SEQUENCE_AT,
  FRAME_TIMESTAMP_AT,
  FRAME_TRANSFER_AT,
  FRAME_VERSION,
  FRAME_VERSION_AT,
  FRAME_WIDTH_AT,
} from './frame-layout.js';
import {
  CLOCKS,
  decodeFrameMetadata,
  encodeFrameMetadata,
  type FrameColor,
  type FrameFences,
  type FrameMetadata,
  type FrameMetadataInput,
  type FramePlane,
  KEYS,
  RANGES,
  UNKNOWN_COLOR,
} from './frame-metadata.js';

const ALL = `${FRAME_BYTES} bytes, the metadata of a frame`;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const TWO_TO_32 = 0x1_0000_0000;
const KNOWN: ReadonlySet<string> = new Set(KEYS);
const NO_FENCES: FrameFences = {};

/** The bytes of one frame, as whoever reads or writes them needs them. */
class Sheet {
  readonly bytes = new Uint8Array(FRAME_BYTES);
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #longs = new BigUint64Array(this.bytes.buffer);

  /** Writes a u32; false for what is none. */
  put32(at: number, value: number): boolean {
    this.#words[at / 4] = value;
    return value >>> 0 === value;
  }

  /** Writes a u8. */
  put8(at: number, value: number): boolean {
    this.bytes[at] = value;
    return (value & 0xff) === value;
  }

  /** Writes a u64 that is a safe integer. */
  putNumber(at: number, value: number): boolean {
    this.#words[at / 4] = value;
    this.#words[at / 4 + 1] = value < TWO_TO_32 ? 0 : value / TWO_TO_32;
    return Number.isSafeInteger(value) && value >= 0;
  }

  putLong(at: number, value: bigint): boolean {
    if (typeof value !== 'bigint') return false;
    this.#longs[at / 8] = value;
    return value >= 0n && value <= MAX_U64;
  }

  numberAt(at: number): number {
    const low = this.#words[at / 4] ?? 0;
    const high = this.#words[at / 4 + 1] ?? 0;
    // A product with 2^32 is no small integer even where it is 0, and would be allocated.
    return high === 0 ? low : high * TWO_TO_32 + low;
  }

  longAt(at: number): bigint {
    return this.#longs[at / 8] ?? 0n;
  }

  get flags(): number {
    return (this.bytes[FRAME_FLAGS_AT] ?? 0) + (this.bytes[FRAME_FLAGS_AT + 1] ?? 0) * 256;
  }

  /** Whether bytes say the same but for number, time and damage. */
  isLike(other: Uint8Array): boolean {
    return (
      this.#sameFrom(FRAME_MAGIC_AT, FRAME_FLAGS_AT, other) &&
      this.#sameFrom(FRAME_WIDTH_AT, FRAME_SEQUENCE_AT, other) &&
      this.#sameFrom(FRAME_CLOCK_AT, FRAME_BYTES, other)
    );
  }

  /** Writes what is said of a frame. False: that can't be so; what is written then means nothing. Doesn't tell whether planes fit their format. */
  fill(frame: FrameMetadataInput): boolean {
    try {
      return this.#fill(frame);
    } catch {
      // Null in the place of an object, or a bigint in that of a number: whoever checks it all says so.
      return false;
    }
  }

  #fill(frame: FrameMetadataInput): boolean {
    for (const key in frame) if (!KNOWN.has(key)) return false;
    const { modifier = 0n, sequence = 0, timestampNs = 0n, clock = 'unknown', damaged = false } = frame;
    this.bytes.fill(0);
    this.put32(FRAME_MAGIC_AT, FRAME_MAGIC);
    this.put32(FRAME_VERSION_AT, FRAME_VERSION);
    this.put8(FRAME_FLAGS_AT, damaged ? FRAME_DAMAGED : 0);
    return (
      (damaged === true || damaged === false) &&
      this.put32(FRAME_WIDTH_AT, frame.width) &&
      this.put32(FRAME_HEIGHT_AT, frame.height) &&
      this.put32(FRAME_FOURCC_AT, frame.fourcc) &&
      this.putLong(FRAME_MODIFIER_AT, modifier) &&
      this.putNumber(FRAME_SEQUENCE_AT, sequence) &&
      this.putLong(FRAME_TIMESTAMP_AT, timestampNs) &&
      this.put32(FRAME_CLOCK_AT, CLOCKS[clock]) &&
      this.#putColor(frame.color === undefined ? UNKNOWN_COLOR : frame.color) &&
      this.#putFences(frame.fences === undefined ? NO_FENCES : frame.fences) &&
      this.#putPlanes(frame.planes)
    );
  }

  #sameFrom(begin: number, end: number, other: Uint8Array): boolean {
    const { bytes } = this;
    for (let at = begin; at < end; at++) if (bytes[at] !== other[at]) return false;
    return true;
  }

  #putColor(color: FrameColor): boolean {
    for (const key in color) if (!(key in UNKNOWN_COLOR)) return false;
    return (
      this.put8(FRAME_PRIMARIES_AT, color.primaries) &&
      this.put8(FRAME_TRANSFER_AT, color.transfer) &&
      this.put8(FRAME_MATRIX_AT, color.matrix) &&
      this.put8(FRAME_RANGE_AT, RANGES[color.range])
    );
  }

  #putFences(fences: FrameFences): boolean {
    for (const key in fences) if (key !== 'acquire' && key !== 'release') return false;
    const { acquire, release } = fences;
    return this.#putFence(FRAME_ACQUIRE_FENCE_AT, acquire) && this.#putFence(FRAME_RELEASE_FENCE_AT, release);
  }

  #putFence(at: number, index: number | undefined): boolean {
    return index === undefined ? this.put8(at, 0) : index >= 0 && this.put8(at, 1 + index);
  }

  #putPlanes(planes: readonly FramePlane[]): boolean {
    if (!Array.isArray(planes) || planes.length > FRAME_MAX_PLANES) return false;
    this.put32(FRAME_PLANES_AT, planes.length);
    for (let index = 0; index < planes.length; index++)
      if (!this.#putPlane(FRAME_FIRST_PLANE_AT + index * FRAME_PLANE_BYTES, planes[index] as FramePlane))
        return false;
    return true;
  }

  #putPlane(at: number, plane: FramePlane): boolean {
    let keys = 0;
    for (const _ in plane) keys += 1;
    return (
      keys === 4 &&
      this.put32(at + FRAME_PLANE_DESCRIPTOR_AT, plane.descriptor) &&
      this.put32(at + FRAME_PLANE_STRIDE_AT, plane.stride) &&
      this.putNumber(at + FRAME_PLANE_OFFSET_AT, plane.offset) &&
      this.putNumber(at + FRAME_PLANE_LENGTH_AT, plane.bytes)
    );
  }
}

/** What is encoded, or was decoded before; and what came, copied, since it may change meanwhile. */
const [said, came] = [new Sheet(), new Sheet()];

/** What of a frame that was decoded is filled in anew. */
type Reused = { -readonly [K in 'sequence' | 'timestampNs' | 'damaged']: FrameMetadata[K] };

function encodeInto(frame: FrameMetadataInput, into: Uint8Array): number {
  if (into.length < FRAME_BYTES)
    throw invalidArgument(
      'meta',
      `have room for ${ALL}: raise maxBytes of the pool, or of its service`,
      into.length,
    );
  const likeBefore = said.fill(frame) && said.isLike(into);
  into.set(likeBefore ? said.bytes : encodeFrameMetadata(frame));
  return FRAME_BYTES;
}

function decode(bytes: Uint8Array, used?: FrameMetadata): FrameMetadata {
  if (used === undefined || bytes.length !== FRAME_BYTES) return decodeFrameMetadata(bytes);
  came.bytes.set(bytes);
  const { flags } = came;
  const sequence = came.numberAt(FRAME_SEQUENCE_AT);
  const sound = (flags === 0 || flags === FRAME_DAMAGED) && Number.isSafeInteger(sequence);
  if (!(sound && said.fill(used) && said.isLike(came.bytes))) return decodeFrameMetadata(came.bytes);
  const reused: Reused = used;
  reused.sequence = sequence;
  reused.timestampNs = came.longAt(FRAME_TIMESTAMP_AT);
  reused.damaged = flags === FRAME_DAMAGED;
  return used;
}

/**
 * Turns metadata of frames into bytes and back: a codec for the metadata of buffers, which must have room for 192 bytes. In a pool, a frame that says the same as the one
 * before it in its buffer, but for `sequence`, `timestampNs` and `damaged`, is written without any allocation; receiveHot() then gives the same object with
 * these three set anew, and allocates one BigInt.
 */
export const frameMetadata: {
  encode(frame: FrameMetadataInput): Uint8Array;
  encodeInto(frame: FrameMetadataInput, into: Uint8Array): number;
  decode(bytes: Uint8Array, used?: FrameMetadata): FrameMetadata;
} = { encode: encodeFrameMetadata, encodeInto, decode };
