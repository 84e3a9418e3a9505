/**
 * What is said of a frame beside its descriptors: size, pixel format, planes, colour, time, fences; and these as bytes of a fixed layout, which
 * spec/frames.md draws. Pure. Trusts nothing that it decodes.
 */
import { checkBoolean, checkInteger, checkOptions } from '../base/check.js';
import { invalidArgument, SealaneError } from '../base/errors.js';
import { leastPlaneBytes, pixelFormat, rowBytes } from './formats.js';
import {
  FRAME_ACQUIRE_FENCE_AT,
  FRAME_BYTES,
  FRAME_CLOCK_AT,
  FRAME_CLOCK_BOOTTIME,
  FRAME_CLOCK_MONOTONIC,
  FRAME_CLOCK_REALTIME,
  FRAME_CLOCK_UNKNOWN,
  FRAME_DAMAGED,
  FRAME_FIRST_PLANE_AT,
  FRAME_FLAGS_AT,
  FRAME_FOURCC_AT,
  FRAME_HEIGHT_AT,
  FRAME_MAGIC,
  FRAME_MAGIC_AT,
  FRAME_MATRIX_AT,
  FRAME_MAX_DESCRIPTORS,
  FRAME_MAX_PLANES,
  FRAME_MAX_SIDE,
  FRAME_MODIFIER_AT,
  FRAME_PLANE_BYTES,
  FRAME_PLANE_DESCRIPTOR_AT,
  FRAME_PLANE_LENGTH_AT,
  FRAME_PLANE_OFFSET_AT,
  FRAME_PLANE_STRIDE_AT,
  FRAME_PLANES_AT,
  FRAME_PRIMARIES_AT,
  FRAME_RANGE_AT,
  FRAME_RANGE_FULL,
  FRAME_RANGE_LIMITED,
  FRAME_RANGE_UNKNOWN,
  FRAME_RELEASE_FENCE_AT,
  FRAME_SEQUENCE_AT,
  FRAME_TIMESTAMP_AT,
  FRAME_TRANSFER_AT,
  FRAME_VERSION,
  FRAME_VERSION_AT,
  FRAME_WIDTH_AT,
} from './frame-layout.js';

/** A clock of clock_gettime(2), of this machine. */
export type FrameClock = 'unknown' | 'realtime' | 'monotonic' | 'boottime';
/** Which values of its bits a component uses: those of video (16 to 235 of 8 bits), or all. */
export type ColorRange = 'unknown' | 'limited' | 'full';

/** Codes of ITU-T H.273, 0 to 255; 2: unspecified. */
export interface FrameColor {
  /** Colour primaries: 1 is BT.709, 9 BT.2020. */
  readonly primaries: number;
  /** Transfer characteristics: 1 is BT.709, 13 sRGB. */
  readonly transfer: number;
  /** Matrix coefficients: 0 for RGB, 1 BT.709, 6 BT.601. */
  readonly matrix: number;
  readonly range: ColorRange;
}

/** One plane of a frame. */
export interface FramePlane {
  /** Index among the frame's descriptors of the one that it lies in: 0 to 3. */
  readonly descriptor: number;
  /** Byte at which it begins. */
  readonly offset: number;
  /** Bytes from one row to the next; 0 where that means nothing, for a modifier that is not 0. */
  readonly stride: number;
  /** Bytes of it. */
  readonly bytes: number;
}

/** Which of a frame's descriptors are fences (sync_file), by index; undefined: none. */
export interface FrameFences {
  /** To be waited for before the frame is read. */
  readonly acquire?: number | undefined;
  /** To be waited for before the frame is written again. */
  readonly release?: number | undefined;
}

/** What is said of a frame. */
export interface FrameMetadata {
  /** Pixels in a row: 1 to 65,535. */
  readonly width: number;
  /** Rows: 1 to 65,535. */
  readonly height: number;
  /** DRM's code of the pixel format, the first character in the lowest byte: `fourcc('XR24')`. */
  readonly fourcc: number;
  /** DRM's modifier: how pixels lie in a plane. 0n: row by row. */
  readonly modifier: bigint;
  /** 1 to 4. */
  readonly planes: readonly FramePlane[];
  readonly color: FrameColor;
  /** The count of pictures of whoever made this one: a gap is pictures that were lost. Up to 2^53 - 1. */
  readonly sequence: number;
  /** When the picture was taken, in nanoseconds of `clock`. */
  readonly timestampNs: bigint;
  readonly clock: FrameClock;
  /** Whether whoever made the picture says that it may be damaged. */
  readonly damaged: boolean;
  readonly fences: FrameFences;
}

/** What has to be said of a frame; all else has a default: row by row, colours unspecified, 0, clock unknown, not damaged, no fences. */
export type FrameMetadataInput = Pick<FrameMetadata, 'width' | 'height' | 'fourcc' | 'planes'> &
  Partial<FrameMetadata>;

/** By their names. @internal */
export const CLOCKS: Readonly<Record<FrameClock, number>> = {
  unknown: FRAME_CLOCK_UNKNOWN,
  realtime: FRAME_CLOCK_REALTIME,
  monotonic: FRAME_CLOCK_MONOTONIC,
  boottime: FRAME_CLOCK_BOOTTIME,
};
/** By their names. @internal */
export const RANGES: Readonly<Record<ColorRange, number>> = {
  unknown: FRAME_RANGE_UNKNOWN,
  limited: FRAME_RANGE_LIMITED,
  full: FRAME_RANGE_FULL,
};

const UNSPECIFIED = 2;
/** What is said of colours where nothing is. @internal */
export const UNKNOWN_COLOR: FrameColor = Object.freeze({
  primaries: UNSPECIFIED,
  transfer: UNSPECIFIED,
  matrix: UNSPECIFIED,
  range: 'unknown',
});
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MAX_U32 = 0xffff_ffff;

/** All that may be said of a frame. @internal */
export const KEYS = [
  ...['width', 'height', 'fourcc', 'modifier', 'planes', 'color'],
  ...['sequence', 'timestampNs', 'clock', 'damaged', 'fences'],
];
const PLANE_KEYS = ['descriptor', 'offset', 'stride', 'bytes'];

/**
 * Checks what is said of a frame, and completes it with the defaults. A plane must have room for its rows where its format is known and lies row
 * by row. Throws ERR_SEALANE_INVALID_ARGUMENT.
 */
export function completeFrameMetadata(input: FrameMetadataInput): FrameMetadata {
  checkOptions('metadata', input, KEYS);
  const { width, height, fourcc, modifier = 0n, sequence = 0, timestampNs = 0n, clock = 'unknown' } = input;
  const { damaged = false, color = UNKNOWN_COLOR, fences = {} } = input;
  checkInteger('metadata.width', width, 1, FRAME_MAX_SIDE);
  checkInteger('metadata.height', height, 1, FRAME_MAX_SIDE);
  checkInteger('metadata.fourcc', fourcc, 0, MAX_U32);
  checkU64('metadata.modifier', modifier);
  checkInteger('metadata.sequence', sequence, 0, Number.MAX_SAFE_INTEGER);
  checkU64('metadata.timestampNs', timestampNs);
  checkKey('metadata.clock', clock, CLOCKS);
  checkBoolean('metadata.damaged', damaged);
  const frame = { width, height, fourcc, modifier, sequence, timestampNs, clock, damaged };
  const planes = completePlanes(input.planes);
  const complete = { ...frame, planes, color: completeColor(color), fences: completeFences(fences) };
  requirePlanes(complete);
  requireNoFences(complete);
  return complete;
}

function completePlanes(planes: unknown): readonly FramePlane[] {
  if (!Array.isArray(planes) || planes.length < 1 || planes.length > FRAME_MAX_PLANES)
    throw invalidArgument('metadata.planes', `be an array of 1 to ${FRAME_MAX_PLANES}`, planes);
  return Array.from(planes, (plane: unknown, index) => {
    const name = `metadata.planes[${index}]`;
    checkOptions(name, plane, PLANE_KEYS);
    const { descriptor, offset, stride, bytes } = plane as FramePlane;
    checkInteger(`${name}.descriptor`, descriptor, 0, FRAME_MAX_DESCRIPTORS - 1);
    checkInteger(`${name}.offset`, offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger(`${name}.stride`, stride, 0, MAX_U32);
    checkInteger(`${name}.bytes`, bytes, 1, Number.MAX_SAFE_INTEGER - offset);
    return { descriptor, offset, stride, bytes };
  });
}

function completeColor(color: FrameColor): FrameColor {
  checkOptions('metadata.color', color, ['primaries', 'transfer', 'matrix', 'range']);
  const { primaries, transfer, matrix, range } = color;
  checkInteger('metadata.color.primaries', primaries, 0, 255);
  checkInteger('metadata.color.transfer', transfer, 0, 255);
  checkInteger('metadata.color.matrix', matrix, 0, 255);
  checkKey('metadata.color.range', range, RANGES);
  return { primaries, transfer, matrix, range };
}

function completeFences(fences: FrameFences): FrameFences {
  checkOptions('metadata.fences', fences, ['acquire', 'release']);
  const { acquire, release } = fences;
  for (const [name, index] of Object.entries({ acquire, release }))
    if (index !== undefined) checkInteger(`metadata.fences.${name}`, index, 0, FRAME_MAX_DESCRIPTORS - 1);
  return {
    ...(acquire === undefined ? {} : { acquire }),
    ...(release === undefined ? {} : { release }),
  };
}

function checkU64(name: string, value: unknown): asserts value is bigint {
  if (typeof value !== 'bigint' || value < 0n || value > MAX_U64)
    throw invalidArgument(name, 'be a bigint from 0n to 2n ** 64n - 1n', value);
}

function checkKey<Key extends string>(
  name: string,
  value: unknown,
  keys: Readonly<Record<Key, number>>,
): void {
  if (typeof value !== 'string' || !Object.hasOwn(keys, value))
    throw invalidArgument(name, `be one of ${Object.keys(keys).join(', ')}`, value);
}

/** The planes of a frame whose numbers are in range must be those of its format, each with room for its pixels. */
function requirePlanes(
  frame: Pick<FrameMetadata, 'width' | 'height' | 'fourcc' | 'modifier' | 'planes'>,
): void {
  const { planes, width, height } = frame;
  const format = pixelFormat(frame.fourcc);
  // Only its maker knows what a modifier means; it may add planes, too.
  if (format === undefined || frame.modifier !== 0n) return;
  if (planes.length !== format.planes.length)
    throw invalidArgument('metadata.planes', `be the ${format.planes.length} of ${format.name}`, planes);
  format.planes.forEach((shape, index) => {
    const { stride, bytes } = planes[index] as FramePlane;
    const of = `for ${width} x ${height} pixels of ${format.name}`;
    const row = rowBytes(shape, width);
    if (stride < row)
      throw invalidArgument(`metadata.planes[${index}].stride`, `be ${row} at least ${of}`, stride);
    const least = leastPlaneBytes(shape, width, height, stride);
    if (bytes < least)
      throw invalidArgument(`metadata.planes[${index}].bytes`, `be ${least} at least ${of}`, bytes);
  });
}

function requireNoFences({ planes, fences }: Pick<FrameMetadata, 'planes' | 'fences'>): void {
  planes.forEach(({ descriptor }, index) => {
    if (descriptor === fences.acquire || descriptor === fences.release)
      throw invalidArgument(`metadata.planes[${index}].descriptor`, 'be none of its fences', descriptor);
  });
}

/** The 192 bytes of what is said of a frame. Throws ERR_SEALANE_INVALID_ARGUMENT. */
export function encodeFrameMetadata(input: FrameMetadataInput): Uint8Array {
  const frame = completeFrameMetadata(input);
  const bytes = Buffer.alloc(FRAME_BYTES);
  bytes.writeUInt32LE(FRAME_MAGIC, FRAME_MAGIC_AT);
  bytes.writeUInt16LE(FRAME_VERSION, FRAME_VERSION_AT);
  bytes.writeUInt16LE(frame.damaged ? FRAME_DAMAGED : 0, FRAME_FLAGS_AT);
  bytes.writeUInt32LE(frame.width, FRAME_WIDTH_AT);
  bytes.writeUInt32LE(frame.height, FRAME_HEIGHT_AT);
  bytes.writeUInt32LE(frame.fourcc, FRAME_FOURCC_AT);
  bytes.writeUInt32LE(frame.planes.length, FRAME_PLANES_AT);
  bytes.writeBigUInt64LE(frame.modifier, FRAME_MODIFIER_AT);
  bytes.writeBigUInt64LE(BigInt(frame.sequence), FRAME_SEQUENCE_AT);
  bytes.writeBigUInt64LE(frame.timestampNs, FRAME_TIMESTAMP_AT);
  bytes.writeUInt32LE(CLOCKS[frame.clock], FRAME_CLOCK_AT);
  bytes[FRAME_PRIMARIES_AT] = frame.color.primaries;
  bytes[FRAME_TRANSFER_AT] = frame.color.transfer;
  bytes[FRAME_MATRIX_AT] = frame.color.matrix;
  bytes[FRAME_RANGE_AT] = RANGES[frame.color.range];
  bytes[FRAME_ACQUIRE_FENCE_AT] = 1 + (frame.fences.acquire ?? -1);
  bytes[FRAME_RELEASE_FENCE_AT] = 1 + (frame.fences.release ?? -1);
  frame.planes.forEach((plane, index) => {
    writePlane(bytes, FRAME_FIRST_PLANE_AT + index * FRAME_PLANE_BYTES, plane);
  });
  return bytes;
}

function writePlane(bytes: Buffer, at: number, plane: FramePlane): void {
  bytes.writeUInt32LE(plane.descriptor, at + FRAME_PLANE_DESCRIPTOR_AT);
  bytes.writeUInt32LE(plane.stride, at + FRAME_PLANE_STRIDE_AT);
  bytes.writeBigUInt64LE(BigInt(plane.offset), at + FRAME_PLANE_OFFSET_AT);
  bytes.writeBigUInt64LE(BigInt(plane.bytes), at + FRAME_PLANE_LENGTH_AT);
}

/**
 * What bytes say of a frame. They are a peer's, and may change meanwhile: they are copied first, and then checked, so that what this returns
 * would have been encoded the same. Whether the planes lie in the descriptors is for requireFrameFits(). Throws ERR_SEALANE_PROTOCOL,
 * ERR_SEALANE_VERSION_MISMATCH.
 */
export function decodeFrameMetadata(bytes: Uint8Array): FrameMetadata {
  if (bytes.length !== FRAME_BYTES) throw broken(`has ${bytes.length} bytes, not ${FRAME_BYTES}`);
  const copy = Buffer.from(bytes);
  if (copy.readUInt32LE(FRAME_MAGIC_AT) !== FRAME_MAGIC) throw broken('does not begin as one');
  requireVersion(copy.readUInt16LE(FRAME_VERSION_AT));
  const planes = copy.readUInt32LE(FRAME_PLANES_AT);
  if (planes < 1 || planes > FRAME_MAX_PLANES) throw broken(`has ${planes} planes`);
  const input = read(copy, planes);
  const frame = checked(input);
  // What means nothing is zero; flags, clocks and ranges that this doesn't know would not come out again.
  if (!copy.equals(encodeFrameMetadata(frame))) throw broken('has bits that mean nothing');
  return frame;
}

function read(bytes: Buffer, planes: number): FrameMetadataInput {
  const fence = (at: number) => (bytes[at] === 0 ? undefined : (bytes[at] ?? 0) - 1);
  return {
    width: bytes.readUInt32LE(FRAME_WIDTH_AT),
    height: bytes.readUInt32LE(FRAME_HEIGHT_AT),
    fourcc: bytes.readUInt32LE(FRAME_FOURCC_AT),
    modifier: bytes.readBigUInt64LE(FRAME_MODIFIER_AT),
    planes: Array.from({ length: planes }, (_, index) =>
      readPlane(bytes, FRAME_FIRST_PLANE_AT + index * FRAME_PLANE_BYTES),
    ),
    color: readColor(bytes),
    sequence: numberAt(bytes, FRAME_SEQUENCE_AT),
    timestampNs: bytes.readBigUInt64LE(FRAME_TIMESTAMP_AT),
    clock: keyOf(CLOCKS, bytes.readUInt32LE(FRAME_CLOCK_AT)),
    damaged: (bytes.readUInt16LE(FRAME_FLAGS_AT) & FRAME_DAMAGED) !== 0,
    fences: { acquire: fence(FRAME_ACQUIRE_FENCE_AT), release: fence(FRAME_RELEASE_FENCE_AT) },
  };
}

function readPlane(bytes: Buffer, at: number): FramePlane {
  return {
    descriptor: bytes.readUInt32LE(at + FRAME_PLANE_DESCRIPTOR_AT),
    stride: bytes.readUInt32LE(at + FRAME_PLANE_STRIDE_AT),
    offset: numberAt(bytes, at + FRAME_PLANE_OFFSET_AT),
    bytes: numberAt(bytes, at + FRAME_PLANE_LENGTH_AT),
  };
}

function readColor(bytes: Buffer): FrameColor {
  return {
    primaries: bytes.readUInt8(FRAME_PRIMARIES_AT),
    transfer: bytes.readUInt8(FRAME_TRANSFER_AT),
    matrix: bytes.readUInt8(FRAME_MATRIX_AT),
    range: keyOf(RANGES, bytes.readUInt8(FRAME_RANGE_AT)),
  };
}

/** Too large a number becomes one that is refused: nothing above 2^53 is a safe integer. */
function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

/** The key of a number; one that there is not would not be encoded the same. */
function keyOf<Key extends string>(keys: Readonly<Record<Key, number>>, value: number): Key | 'unknown' {
  const found = (Object.keys(keys) as Key[]).find((key) => keys[key] === value);
  return found ?? 'unknown';
}

function checked(input: FrameMetadataInput): FrameMetadata {
  try {
    return completeFrameMetadata(input);
  } catch (cause) {
    throw broken(`is wrong: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function requireVersion(version: number): void {
  if (version === FRAME_VERSION) return;
  const message = `the metadata of a frame has version ${version}; this understands ${FRAME_VERSION}`;
  throw new SealaneError('ERR_SEALANE_VERSION_MISMATCH', message);
}

function broken(what: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', `the metadata of a frame ${what}`);
}
