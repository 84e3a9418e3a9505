/**
 * What V4L2 calls pixel formats and colours, and what DRM and ITU-T H.273 call them; and the metadata of a picture that a video device has taken.
 * Owns the tables. Trusts nothing that a driver says.
 * https://docs.kernel.org/userspace-api/media/v4l/pixfmt.html
 */
import { SealaneError } from '../base/errors.js';
import type { FilledBuffer, VideoFormat } from '../os/video-device.js';
import { fourcc, fourccName, type PixelFormat, pictureLayoutOfStride, pixelFormat } from './formats.js';
import { completeFrameMetadata, type FrameColor, type FrameMetadata } from './frame-metadata.js';

/**
 * Names of V4L2, each followed by DRM's name of the same bytes. V4L2 names components by their order in memory, DRM by their order in a
 * little-endian word; of formats that have the same name in both, only the name stands here.
 */
const PAIRS: readonly (readonly [video: string, drm?: string])[] = [
  ['GREY', 'R8'],
  ['Y16', 'R16'],
  ['RGBP', 'RG16'],
  ['RGB3', 'BG24'],
  ['BGR3', 'RG24'],
  ['422P', 'YU16'],
  ...['XR24', 'AR24', 'XB24', 'AB24', 'RX24', 'RA24', 'BX24', 'BA24'].map((name): [string] => [name]),
  ...['YUYV', 'YVYU', 'UYVY', 'VYUY', 'NV12', 'NV21', 'NV16', 'NV61', 'NV24', 'NV42'].map(
    (name): [string] => [name],
  ),
  ...['P010', 'P012', 'YU12', 'YV12'].map((name): [string] => [name]),
];

const DRM_BY_VIDEO: ReadonlyMap<number, number> = new Map(
  PAIRS.map(([video, drm = video]) => [fourcc(video), fourcc(drm)]),
);
const VIDEO_BY_DRM: ReadonlyMap<number, number> = new Map(
  [...DRM_BY_VIDEO].map(([video, drm]) => [drm, video]),
);

/** DRM's code for V4L2's; undefined: there is none, or none that is known here. */
export function drmFormatOf(videoFormat: number): number | undefined {
  return DRM_BY_VIDEO.get(videoFormat);
}

/** V4L2's code for DRM's; undefined: there is none, or none that is known here. */
export function videoFormatOf(drmFormat: number): number | undefined {
  return VIDEO_BY_DRM.get(drmFormat);
}

/** By enum v4l2_colorspace: primaries, transfer and matrix of H.273. What is not here has no such code. */
const COLORS: ReadonlyMap<number, readonly [primaries: number, transfer: number, matrix: number]> = new Map([
  [1, [6, 6, 6]],
  [3, [1, 1, 1]],
  [5, [4, 6, 6]],
  [6, [5, 6, 6]],
  [7, [1, 13, 6]],
  [8, [1, 13, 6]],
  [10, [9, 14, 9]],
]);
/** V4L2_COLORSPACE_JPEG: all values are used, of YUV too. */
const JPEG = 7;
const UNSPECIFIED = 2;
const IDENTITY = 0;

/** Colours as V4L2 means them where a driver names a colour space and nothing else. */
export function colorOfVideo(colorSpace: number, { yuv }: Pick<PixelFormat, 'yuv'>): FrameColor {
  const [primaries, transfer, matrix] = COLORS.get(colorSpace) ?? [UNSPECIFIED, UNSPECIFIED, UNSPECIFIED];
  if (!yuv) return { primaries, transfer, matrix: IDENTITY, range: 'full' };
  if (primaries === UNSPECIFIED) return { primaries, transfer, matrix, range: 'unknown' };
  return { primaries, transfer, matrix, range: colorSpace === JPEG ? 'full' : 'limited' };
}

/**
 * What is to be said of a picture in a buffer that is one descriptor. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM for a format that has no DRM code
 * here, and ERR_SEALANE_PROTOCOL for numbers of the driver that don't fit each other.
 */
export function frameOfVideo(format: VideoFormat, filled: FilledBuffer): FrameMetadata {
  const known = formatOfVideo(format.pixelFormat);
  const { width, height, bytesPerLine, imageBytes, colorSpace } = format;
  try {
    const layout = pictureLayoutOfStride(known.fourcc, width, height, bytesPerLine);
    if (layout.bytes > imageBytes)
      throw new RangeError(
        `a picture takes ${layout.bytes} bytes, and its buffer is said to have ${imageBytes}`,
      );
    return completeFrameMetadata({
      width,
      height,
      fourcc: known.fourcc,
      planes: layout.planes.map((plane) => ({ descriptor: 0, ...plane })),
      color: colorOfVideo(colorSpace, known),
      sequence: filled.sequence,
      timestampNs: filled.timestampNs,
      clock: filled.clock,
      // A driver that filled less than a picture did not fill it.
      damaged: filled.damaged || filled.bytes < layout.bytes,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SealaneError('ERR_SEALANE_PROTOCOL', `the driver's numbers don't fit each other: ${why}`, {
      cause,
    });
  }
}

/** What is known of V4L2's format. Throws ERR_SEALANE_UNSUPPORTED_PLATFORM. */
export function formatOfVideo(videoFormat: number): PixelFormat {
  const drm = drmFormatOf(videoFormat);
  const known = drm === undefined ? undefined : pixelFormat(drm);
  if (known !== undefined) return known;
  const message = `the video format ${fourccName(videoFormat)} has no pixels that can be shared as they are: choose another`;
  throw new SealaneError('ERR_SEALANE_UNSUPPORTED_PLATFORM', message);
}
