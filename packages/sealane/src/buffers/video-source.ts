/**
 * A camera whose pictures go to whoever has the buffers of a pool, without a copy: the driver's own buffers are the pool's. Owns the device, and the
 * descriptors of its buffers. What the driver says is checked before it is told to anybody.
 */
import { checkInteger, checkOptions, checkRecord, checkSignal } from '../base/check.js';
import { closedError, describe, invalidArgument, SealaneError } from '../base/errors.js';
import { closeDescriptor } from '../os/descriptor.js';
import { type FilledBuffer, VideoDevice, type VideoFormat } from '../os/video-device.js';
import { fourccName } from './formats.js';
import { FRAME_MAX_SIDE } from './frame-layout.js';
import type { FrameMetadata } from './frame-metadata.js';
import { drmFormatOf, formatOfVideo, frameOfVideo, videoFormatOf } from './video-formats.js';
import { type FrameBuffer, type FramePool, Supply } from './video-supply.js';
import { Pictures } from './video-wait.js';

/** What a camera is asked for. It takes what it can do that is closest in size: {@link V4l2Source.format} tells. */
export interface V4l2SourceOptions {
  /** Pixels in a row, 1 to 65,535. Default: 640. */
  width?: number | undefined;
  /** Rows, 1 to 65,535. Default: 480. */
  height?: number | undefined;
  /** DRM's codes of formats that will do, the best first: `[fourcc('NV12')]`. Default: what the camera offers first. */
  formats?: readonly number[] | undefined;
  /** How many buffers the driver is asked for, 2 to 32; it may make more or fewer. Default: 8. */
  buffers?: number | undefined;
  /**
   * How many empty buffers the driver has at a time, 2 to 32: what it fills while this thread does something else. More than these are left
   * in the pool. Default: 3.
   */
  ahead?: number | undefined;
  /** What may be done with the descriptors of the buffers. Default: `read`. */
  access?: 'read' | 'read-write' | undefined;
}

/** A picture that was sent. */
export interface SentFrame {
  /** The buffer that it is in. */
  readonly index: number;
  readonly metadata: FrameMetadata;
  /** How many got it. */
  readonly receivers: number;
}

const OPTION_KEYS = ['width', 'height', 'formats', 'buffers', 'ahead', 'access'];
const MAX_BUFFERS = 32;

/** A device that records, with its buffers made and exported. */
export class V4l2Source implements Disposable {
  /** What pictures are like: what the driver has set. */
  readonly format: VideoFormat;
  /** DRM's code of the pixel format. */
  readonly fourcc: number;
  /** The DMA-BUFs of its buffers, the source's: what a pool is made of. */
  readonly descriptors: readonly number[];
  readonly #device: VideoDevice;
  readonly #ahead: number;
  #streaming: { readonly closing: AbortController; readonly supply: Supply } | undefined;

  private constructor(
    device: VideoDevice,
    format: VideoFormat,
    descriptors: readonly number[],
    ahead: number,
  ) {
    this.#device = device;
    this.format = format;
    this.fourcc = formatOfVideo(format.pixelFormat).fourcc;
    this.descriptors = descriptors;
    this.#ahead = ahead;
  }

  /**
   * Opens a device, as in /dev/video0, and agrees with it on a format. Throws ERR_SEALANE_INVALID_ARGUMENT (also when it offers none of the
   * formats), ERR_SEALANE_WRONG_DESCRIPTOR (no device that records), ERR_SEALANE_SYSTEM (EBUSY: another program has its buffers),
   * ERR_SEALANE_PROTOCOL (its driver's numbers don't fit each other).
   */
  static open(path: string, options: V4l2SourceOptions = {}): V4l2Source {
    checkOptions('options', options, OPTION_KEYS);
    const { buffers = 8, ahead = 3, access = 'read' } = options;
    checkInteger('options.buffers', buffers, 2, MAX_BUFFERS);
    checkInteger('options.ahead', ahead, 2, MAX_BUFFERS);
    if (access !== 'read' && access !== 'read-write')
      throw invalidArgument('options.access', "be 'read' or 'read-write'", access);
    const wish = checkWish(options);
    const device = VideoDevice.open(path);
    const descriptors: number[] = [];
    try {
      const format = negotiate(device, wish);
      const count = device.requestBuffers(buffers);
      for (let index = 0; index < count; index++) descriptors.push(device.exportBuffer(index, access));
      return new V4l2Source(device, format, descriptors, ahead);
    } catch (error) {
      for (const fd of descriptors) closeDescriptor(fd);
      device.close();
      throw error;
    }
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#device.closed;
  }

  /**
   * Records: each picture is sent to the pool, made of {@link V4l2Source.descriptors} in their order, and then told here, as long as the loop
   * goes on. When the loop ends, by whatever, the camera stops, and the buffers that are empty are the pool's again. Rejects with
   * ERR_SEALANE_ABORTED, ERR_SEALANE_CLOSED (the source was closed meanwhile), ERR_SEALANE_BUSY (it streams already),
   * ERR_SEALANE_SYSTEM (the device failed, or is gone), ERR_SEALANE_INVALID_ARGUMENT (the pool has other buffers), and with what the
   * pool throws.
   */
  async *stream(pool: FramePool, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<SentFrame> {
    checkRecord('pool', pool);
    checkOptions('options', options, ['signal']);
    checkSignal('options.signal', options.signal);
    if (this.closed) throw closedError('the video source');
    if (this.#streaming !== undefined)
      throw new SealaneError('ERR_SEALANE_BUSY', 'the video source streams already');
    const closing = new AbortController();
    using pictures = new Pictures(this.#device, closing.signal, options.signal);
    const supply = new Supply({
      filler: this.#device,
      pool,
      count: this.descriptors.length,
      ahead: this.#ahead,
      onCome: () => pictures.wake(),
    });
    this.#streaming = { closing, supply };
    try {
      yield* this.#pictures(supply, pictures, options.signal);
    } finally {
      this.#streaming = undefined;
      supply.end();
    }
  }

  /** Stops, and closes the device and the descriptors. Pictures that were sent stay with those who have them. Idempotent. */
  close(): void {
    if (this.closed) return;
    const streaming = this.#streaming;
    try {
      streaming?.closing.abort();
      streaming?.supply.end();
    } finally {
      this.#device.close();
      for (const fd of this.descriptors) closeDescriptor(fd);
    }
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  async *#pictures(
    supply: Supply,
    pictures: Pictures,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SentFrame> {
    supply.fill();
    this.#device.start();
    for (;;) {
      pictures.check();
      supply.fill();
      // A driver without any buffer counts as failed: it would be ready all the time.
      const filled = supply.none ? undefined : this.#device.dequeue();
      if (filled === undefined) await pictures.wait(!supply.none);
      else yield await this.#send(supply.take(filled.index), filled, signal);
    }
  }

  async #send(
    buffer: FrameBuffer,
    filled: FilledBuffer,
    signal: AbortSignal | undefined,
  ): Promise<SentFrame> {
    try {
      const metadata = frameOfVideo(this.format, filled);
      const receivers = await buffer.sendAsync(metadata, signal === undefined ? {} : { signal });
      return { index: filled.index, metadata, receivers };
    } catch (error) {
      buffer.release();
      throw error;
    }
  }
}

/** What pictures are asked for. */
interface Wish {
  readonly width: number;
  readonly height: number;
  readonly formats: readonly number[] | undefined;
}

function checkWish({ width = 640, height = 480, formats }: V4l2SourceOptions): Wish {
  checkInteger('options.width', width, 1, FRAME_MAX_SIDE);
  checkInteger('options.height', height, 1, FRAME_MAX_SIDE);
  if (formats === undefined) return { width, height, formats };
  const codes = "codes of DRM, such as [fourcc('NV12')]";
  if (!Array.isArray(formats)) throw invalidArgument('options.formats', `be an array of ${codes}`, formats);
  if (formats.length === 0) throw invalidArgument('options.formats', `be one or more ${codes}`, formats);
  formats.forEach((code: unknown, index) => {
    if (typeof code === 'string')
      throw invalidArgument(`options.formats[${index}]`, `be a code of DRM: fourcc(${describe(code)})`, code);
    checkInteger(`options.formats[${index}]`, code, 0, 0xffff_ffff);
  });
  return { width, height, formats: [...formats] };
}

/** Agrees on a format: the first that both know. */
function negotiate(device: VideoDevice, { width, height, formats }: Wish): VideoFormat {
  const offered = device.formats().filter((code) => drmFormatOf(code) !== undefined);
  const pixelFormat = formats === undefined ? offered[0] : firstOffered(formats, offered);
  if (pixelFormat === undefined) {
    const names =
      offered.map((code) => fourccName(drmFormatOf(code) ?? 0)).join(', ') || 'nothing known here';
    const must = `have one that ${device.capabilities.card} offers: ${names}`;
    throw invalidArgument('options.formats', must, formats?.map((code) => fourccName(code)).join(', '));
  }
  const format = device.setFormat({ width, height, pixelFormat });
  if (format.pixelFormat === pixelFormat) return format;
  const message = `${device.capabilities.card} offers ${fourccName(pixelFormat)} and sets ${fourccName(format.pixelFormat)}`;
  throw new SealaneError('ERR_SEALANE_PROTOCOL', message);
}

function firstOffered(formats: readonly number[], offered: readonly number[]): number | undefined {
  return formats.map(videoFormatOf).find((code) => code !== undefined && offered.includes(code));
}
