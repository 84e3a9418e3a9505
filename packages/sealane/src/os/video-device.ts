/**
 * A camera, or whatever else records pictures: a video device of the kernel, V4L2, with buffers that the driver allocates and that can be exported
 * as DMA-BUFs. Owns its descriptor. Trusts the driver's numbers no further than what is checked.
 */
import { constants } from 'node:fs';
import { checkInteger, checkOptions, checkPath } from '../base/check.js';
import { describe, isSealaneError, SealaneError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { videoDevices } from './devices.js';
import { KernelObject } from './kernel-object.js';
import { systemError } from './system-error.js';
import {
  bufferRequest,
  buffersRequest,
  capabilityRequest,
  exportRequest,
  type FilledBuffer,
  formatQuestion,
  formatRequest,
  parseBufferCount,
  parseCapabilities,
  parseExported,
  parseFilledBuffer,
  parseFormat,
  parseOfferedFormat,
  streamRequest,
  VIDIOC_DQBUF,
  VIDIOC_ENUM_FMT,
  VIDIOC_EXPBUF,
  VIDIOC_QBUF,
  VIDIOC_QUERYCAP,
  VIDIOC_REQBUFS,
  VIDIOC_S_FMT,
  VIDIOC_STREAMOFF,
  VIDIOC_STREAMON,
  type VideoCapabilities,
  type VideoFormat,
} from './video-structures.js';

export type { FilledBuffer, VideoCapabilities, VideoFormat } from './video-structures.js';

/** What pictures are asked for; the driver takes what it can do that is closest. */
export interface VideoFormatRequest {
  readonly width: number;
  readonly height: number;
  /** V4L2's code of four characters, the first in the lowest byte. */
  readonly pixelFormat: number;
}

/** Drivers allow some 32, and few more make sense. */
const MAX_BUFFERS = 64;
const MAX_SIDE = 65_535;
const MAX_FORMATS = 1_024;

/** A device that records. Every method but close() throws ERR_SEALANE_CLOSED once closed, and ERR_SEALANE_SYSTEM when the driver refuses. */
export class VideoDevice extends KernelObject {
  /** What it is. */
  readonly capabilities: VideoCapabilities;

  private constructor(fd: number, path: string, capabilities: VideoCapabilities) {
    super(fd, `the video device ${path}`);
    this.capabilities = capabilities;
  }

  /**
   * Opens a device, as in /dev/video0. Throws ERR_SEALANE_SYSTEM (ENOENT, EACCES: its group is usually `video`),
   * ERR_SEALANE_WRONG_DESCRIPTOR (no video device, or none that records), ERR_SEALANE_INVALID_ARGUMENT.
   */
  static open(path: string): VideoDevice {
    checkPath('path', path, 4_095);
    const fd = opened(path);
    try {
      const capabilities = capabilitiesOf(fd, path);
      if (capabilities.captures) return new VideoDevice(fd, path, capabilities);
      throw new SealaneError(
        'ERR_SEALANE_WRONG_DESCRIPTOR',
        `${path} (${capabilities.card}) records no video`,
      );
    } catch (error) {
      addon().close(fd);
      throw error;
    }
  }

  /** The pixel formats that it offers, V4L2's codes, the preferred one first. */
  formats(): number[] {
    const formats: number[] = [];
    while (formats.length < MAX_FORMATS) {
      const bytes = formatQuestion(formats.length);
      try {
        this.#ask(VIDIOC_ENUM_FMT, bytes, 'listing formats');
      } catch (error) {
        // The end of the list.
        if (isSealaneError(error) && error.errnoName === 'EINVAL') break;
        throw error;
      }
      formats.push(parseOfferedFormat(bytes));
    }
    return formats;
  }

  /** Sets the format; answers the one that the driver has set. Throws also ERR_SEALANE_SYSTEM (EBUSY: it has buffers). */
  setFormat(request: VideoFormatRequest): VideoFormat {
    checkOptions('request', request, ['width', 'height', 'pixelFormat']);
    const { width, height, pixelFormat } = request;
    checkInteger('request.width', width, 1, MAX_SIDE);
    checkInteger('request.height', height, 1, MAX_SIDE);
    checkInteger('request.pixelFormat', pixelFormat, 0, 0xffff_ffff);
    const bytes = formatRequest(width, height, pixelFormat);
    this.#ask(VIDIOC_S_FMT, bytes, `setting ${width} x ${height}`);
    return parseFormat(bytes);
  }

  /** Has the driver allocate buffers; answers how many it did. 0 gives them back: what was exported stays good. */
  requestBuffers(count: number): number {
    checkInteger('count', count, 0, MAX_BUFFERS);
    const bytes = buffersRequest(count);
    this.#ask(VIDIOC_REQBUFS, bytes, `asking for ${count} buffers`);
    return parseBufferCount(bytes);
  }

  /** A DMA-BUF of a buffer: a descriptor that the caller owns, close-on-exec, for reading or for both. */
  exportBuffer(index: number, access: 'read' | 'read-write' = 'read'): number {
    const mode = access === 'read' ? constants.O_RDONLY : constants.O_RDWR;
    const bytes = exportRequest(checkIndex(index), mode | O_CLOEXEC);
    this.#ask(VIDIOC_EXPBUF, bytes, `exporting buffer ${index}`);
    const fd = parseExported(bytes);
    addon().own(fd);
    return fd;
  }

  /** Gives the driver a buffer to fill. */
  queue(index: number): void {
    this.#ask(VIDIOC_QBUF, bufferRequest(checkIndex(index)), `queueing buffer ${index}`);
  }

  /** The next buffer that is filled, which is the caller's until it queues it again; undefined: none yet. The descriptor is readable when one is. */
  dequeue(): FilledBuffer | undefined {
    const bytes = bufferRequest();
    return this.#ask(VIDIOC_DQBUF, bytes, 'taking a buffer') ? parseFilledBuffer(bytes) : undefined;
  }

  /** Begins to fill what is queued. */
  start(): void {
    this.#ask(VIDIOC_STREAMON, streamRequest(), 'starting');
  }

  /** Stops; all buffers are the caller's again, and none is queued. */
  stop(): void {
    this.#ask(VIDIOC_STREAMOFF, streamRequest(), 'stopping');
  }

  /** False: not now. */
  #ask(request: number, bytes: Buffer, what: string): boolean {
    const { fd } = this;
    return tried(`${what} of ${describe(this.capabilities.card)}`, () =>
      addon().videoAsk(fd, request, bytes),
    );
  }
}

/** O_CLOEXEC of Linux on all its machines that this runs on; Node.js has no name for it. */
const O_CLOEXEC = 0o2000000;

function capabilitiesOf(fd: number, path: string): VideoCapabilities {
  const bytes = capabilityRequest();
  try {
    addon().videoAsk(fd, VIDIOC_QUERYCAP, bytes);
  } catch (cause) {
    throw new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', `${path} is no video device`, { cause });
  }
  return parseCapabilities(bytes);
}

function checkIndex(index: number): number {
  checkInteger('index', index, 0, MAX_BUFFERS - 1);
  return index;
}

/** Its descriptor. The message of an error says which devices there are. */
function opened(path: string): number {
  try {
    return addon().videoOpen(path);
  } catch (error) {
    const there = videoDevices().join(', ') || 'none';
    throw systemError(error, `opening ${path} (video devices of this machine: ${there})`);
  }
}

function tried<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw systemError(error, what);
  }
}
