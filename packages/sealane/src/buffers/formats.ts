/**
 * Pixel formats: DRM's codes of four characters, and how many bytes pictures of the usual ones take. Owns the table; computes exactly, and
 * trusts no number: whatever a caller or peer says is checked. The codes are those of the kernel's drm_fourcc.h.
 */
import { checkInteger, checkOptions } from '../base/check.js';
import { invalidArgument, type SealaneError } from '../base/errors.js';
import { FRAME_MAX_SIDE } from './frame-layout.js';

/** How one plane of a format holds its pixels, row by row. */
export interface PlaneShape {
  /** Pixels of a row that one group of bytes is for: 2 where chroma has half the columns, or where two pixels share theirs. */
  readonly groupPixels: number;
  /** Bytes of such a group. */
  readonly groupBytes: number;
  /** Rows of the picture that one row of the plane is for: 2 where chroma has half the rows. */
  readonly rowDivisor: number;
}

/** A pixel format of which the sizes are known. */
export interface PixelFormat {
  /** DRM's code, the first character in the lowest byte. */
  readonly fourcc: number;
  /** The code as text. */
  readonly name: string;
  /** Whether its components are luminance and colour differences. */
  readonly yuv: boolean;
  readonly planes: readonly PlaneShape[];
}

/** A plane of a picture, in bytes from the begin of its memory. */
export interface PlaneLayout {
  readonly offset: number;
  /** From one row to the next. */
  readonly stride: number;
  /** Of the whole plane: rows times stride. */
  readonly bytes: number;
}

/** Where the planes of a picture lie, one behind the other in the same memory. */
export interface PictureLayout {
  readonly planes: readonly PlaneLayout[];
  /** Where the last plane ends. */
  readonly bytes: number;
}

/** How a picture is laid out. */
export interface PictureLayoutOptions {
  /** Where the first plane begins, in bytes. Default: 0. */
  offset?: number | undefined;
  /** Every stride is a multiple of that many bytes: a power of two up to 65536. Default: 1. */
  strideAlignment?: number | undefined;
  /** Every plane begins at a multiple of that many bytes: a power of two up to 65536. Default: 1. */
  planeAlignment?: number | undefined;
}

const MAX_STRIDE = 0xffff_ffff;
const MAX_ALIGNMENT = 65_536;

/** The code of a format's name of 1 to 4 ASCII characters: `XR24`; shorter ones are filled up with spaces. Throws ERR_SEALANE_INVALID_ARGUMENT. */
export function fourcc(name: string): number {
  if (typeof name !== 'string' || !/^[ -~]{1,4}$/.test(name))
    throw invalidArgument('name', 'be 1 to 4 ASCII characters', name);
  return Buffer.from(name.padEnd(4), 'latin1').readUInt32LE(0);
}

/** A code as text, for people: `XR24`; what can't be printed becomes `?`. Throws ERR_SEALANE_INVALID_ARGUMENT for what is no u32. */
export function fourccName(code: number): string {
  checkInteger('code', code, 0, 0xffff_ffff);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(code, 0);
  return bytes
    .toString('latin1')
    .replace(/[^ -~]/g, '?')
    .trimEnd();
}

/** A plane of whole pixels. */
const packed = (groupBytes: number): PlaneShape => ({ groupPixels: 1, groupBytes, rowDivisor: 1 });
/** A plane of chroma with fewer columns and rows. */
const chroma = (groupPixels: number, groupBytes: number, rowDivisor: number): PlaneShape => ({
  groupPixels,
  groupBytes,
  rowDivisor,
});

/** Names, whether they are of luminance and colour differences, and planes. */
const TABLE: readonly (readonly [names: string, yuv: boolean, planes: readonly PlaneShape[]])[] = [
  ['R8', false, [packed(1)]],
  ['R16 RG16 BG16', false, [packed(2)]],
  ['RG24 BG24', false, [packed(3)]],
  ['XR24 AR24 XB24 AB24 RX24 RA24 BX24 BA24 XR30 AR30 XB30 AB30', false, [packed(4)]],
  ['XR4H AR4H XB4H AB4H', false, [packed(8)]],
  ['YUYV YVYU UYVY VYUY', true, [chroma(2, 4, 1)]],
  ['NV12 NV21', true, [packed(1), chroma(2, 2, 2)]],
  ['NV16 NV61', true, [packed(1), chroma(2, 2, 1)]],
  ['NV24 NV42', true, [packed(1), chroma(1, 2, 1)]],
  ['P010 P012 P016', true, [packed(2), chroma(2, 4, 2)]],
  ['P210', true, [packed(2), chroma(2, 4, 1)]],
  ['YU12 YV12', true, [packed(1), chroma(2, 1, 2), chroma(2, 1, 2)]],
  ['YU16 YV16', true, [packed(1), chroma(2, 1, 1), chroma(2, 1, 1)]],
  ['YU24 YV24', true, [packed(1), packed(1), packed(1)]],
];

const FORMATS: ReadonlyMap<number, PixelFormat> = new Map(
  TABLE.flatMap(([names, yuv, planes]) =>
    names.split(' ').map((name): [number, PixelFormat] => {
      const code = fourcc(name);
      return [code, Object.freeze({ fourcc: code, name, yuv, planes })];
    }),
  ),
);

/** All formats of which the sizes are known. */
export function pixelFormats(): PixelFormat[] {
  return [...FORMATS.values()];
}

/** What is known of a format; undefined: nothing, so that only who made the picture knows its sizes. */
export function pixelFormat(code: number): PixelFormat | undefined {
  return FORMATS.get(code);
}

/** Bytes of a row of `width` pixels without anything behind it. */
export function rowBytes(plane: PlaneShape, width: number): number {
  return Math.ceil(width / plane.groupPixels) * plane.groupBytes;
}

/** Rows of a plane in a picture of `height` rows. */
export function planeRows(plane: PlaneShape, height: number): number {
  return Math.ceil(height / plane.rowDivisor);
}

/** The least bytes that a plane takes: the last row needs nothing behind it. */
export function leastPlaneBytes(plane: PlaneShape, width: number, height: number, stride: number): number {
  return (planeRows(plane, height) - 1) * stride + rowBytes(plane, width);
}

/**
 * Where the planes of a picture lie, one behind the other: exact for odd sizes too. Throws ERR_SEALANE_INVALID_ARGUMENT for a format of which
 * the sizes aren't known, sides that are not 1 to 65,535, and what has no room in 2^53 bytes.
 */
export function pictureLayout(
  code: number,
  width: number,
  height: number,
  options: PictureLayoutOptions = {},
): PictureLayout {
  const format = requireFormat(code);
  checkSides(width, height);
  checkOptions('options', options, ['offset', 'strideAlignment', 'planeAlignment']);
  const { offset = 0, strideAlignment = 1, planeAlignment = 1 } = options;
  checkInteger('options.offset', offset, 0, Number.MAX_SAFE_INTEGER);
  checkAlignment('options.strideAlignment', strideAlignment);
  checkAlignment('options.planeAlignment', planeAlignment);
  const strides = format.planes.map((plane) => roundUp(rowBytes(plane, width), strideAlignment));
  return stacked(format, height, strides, { offset, planeAlignment });
}

/**
 * The same for a picture of which the stride of the first plane is given, as V4L2 does: the other planes' strides are in proportion. Throws
 * ERR_SEALANE_INVALID_ARGUMENT also for a stride that is too short, or that leaves a part of a byte to another plane.
 */
export function pictureLayoutOfStride(
  code: number,
  width: number,
  height: number,
  stride: number,
): PictureLayout {
  const format = requireFormat(code);
  checkSides(width, height);
  checkInteger('stride', stride, 1, MAX_STRIDE);
  const strides = format.planes.map((plane) => proportional(format, plane, width, stride));
  return stacked(format, height, strides, { offset: 0, planeAlignment: 1 });
}

function proportional(format: PixelFormat, plane: PlaneShape, width: number, stride: number): number {
  const own = stride * strideRatio(format, plane);
  if (Number.isInteger(own) && own >= rowBytes(plane, width) && own <= MAX_STRIDE) return own;
  throw wrongStride(format, width, stride);
}

/** The stride of a plane is the first's times that. */
function strideRatio({ planes }: PixelFormat, plane: PlaneShape): number {
  const [first = plane] = planes;
  return (plane.groupBytes * first.groupPixels) / (plane.groupPixels * first.groupBytes);
}

/** Ratios are powers of two, so that all this is exact. */
function wrongStride(format: PixelFormat, width: number, stride: number): SealaneError {
  const ratios = format.planes.map((plane) => strideRatio(format, plane));
  const unit = 1 / Math.min(...ratios);
  const rows = format.planes.map((plane) => rowBytes(plane, width) / strideRatio(format, plane));
  const range = `from ${roundUp(Math.max(...rows), unit)} to ${Math.floor(MAX_STRIDE / Math.max(...ratios))}`;
  const multiple = unit === 1 ? 'an integer' : `a multiple of ${unit}`;
  const must = `be ${multiple} ${range} for all planes of ${format.name} with ${width} pixels in a row`;
  return invalidArgument('stride', must, stride);
}

function stacked(
  { planes }: PixelFormat,
  height: number,
  strides: readonly number[],
  { offset, planeAlignment }: { offset: number; planeAlignment: number },
): PictureLayout {
  let end = offset;
  const layouts = planes.map((plane, index) => {
    const stride = strides[index] ?? 0;
    const bytes = planeRows(plane, height) * stride;
    const begin = roundUp(end, planeAlignment);
    end = begin + bytes;
    // The largest of all planes is below 2^49, so what is above is not rounded back below it.
    if (end > Number.MAX_SAFE_INTEGER)
      throw invalidArgument('options.offset', `leave room for ${bytes} bytes before 2^53`, offset);
    return { offset: begin, stride, bytes };
  });
  return { planes: layouts, bytes: end };
}

function requireFormat(code: number): PixelFormat {
  checkInteger('code', code, 0, 0xffff_ffff);
  const format = pixelFormat(code);
  if (format !== undefined) return format;
  throw invalidArgument('code', 'be a format of which the sizes are known', fourccName(code));
}

function checkSides(width: number, height: number): void {
  checkInteger('width', width, 1, FRAME_MAX_SIDE);
  checkInteger('height', height, 1, FRAME_MAX_SIDE);
}

function checkAlignment(name: string, value: number): void {
  checkInteger(name, value, 1, MAX_ALIGNMENT);
  if ((value & (value - 1)) !== 0) throw invalidArgument(name, 'be a power of two', value);
}

/** Divides, since bit operations end at 2^31. */
function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
