/**
 * The structures of V4L2 (linux/videodev2.h), as bytes: those of single-planar capture into buffers that the driver allocates. Pure. Layouts are
 * those of 64-bit little-endian machines. https://docs.kernel.org/userspace-api/media/v4l/v4l2.html
 */

/** Numbers of requests, which hold the sizes of their structures. */
export const VIDIOC_QUERYCAP = 0x80685600;
export const VIDIOC_ENUM_FMT = 0xc0405602;
export const VIDIOC_S_FMT = 0xc0d05605;
export const VIDIOC_REQBUFS = 0xc0145608;
export const VIDIOC_QBUF = 0xc058560f;
export const VIDIOC_EXPBUF = 0xc0405610;
export const VIDIOC_DQBUF = 0xc0585611;
export const VIDIOC_STREAMON = 0x40045612;
export const VIDIOC_STREAMOFF = 0x40045613;

const VIDEO_CAPTURE = 1;
const MEMORY_MMAP = 1;
const FIELD_ANY = 0;

const CAN_CAPTURE = 0x1;
const CAN_STREAM = 0x0400_0000;
const HAS_DEVICE_CAPABILITIES = 0x8000_0000;

const FLAG_ERROR = 0x40;
const FLAG_TIMESTAMP_MASK = 0xe000;
const FLAG_TIMESTAMP_MONOTONIC = 0x2000;

/** What a device is. */
export interface VideoCapabilities {
  /** The kernel's driver: `vivid`, `uvcvideo`. */
  readonly driver: string;
  /** What people call it. */
  readonly card: string;
  /** Where it is plugged in. */
  readonly bus: string;
  /** Whether it records, into buffers that can be exported. */
  readonly captures: boolean;
}

/** A picture's format, as the driver has set it. */
export interface VideoFormat {
  readonly width: number;
  readonly height: number;
  /** V4L2's code of four characters, the first in the lowest byte. */
  readonly pixelFormat: number;
  /** Bytes from one row to the next. */
  readonly bytesPerLine: number;
  /** Bytes of the whole picture. */
  readonly imageBytes: number;
  /** enum v4l2_colorspace; 0: unknown. */
  readonly colorSpace: number;
}

/** A buffer that the driver has filled. */
export interface FilledBuffer {
  readonly index: number;
  /** Bytes that are filled. */
  readonly bytes: number;
  /** The driver's count of pictures, from 0: a gap is pictures that were lost. */
  readonly sequence: number;
  /** When the picture was taken. */
  readonly timestampNs: bigint;
  readonly clock: 'monotonic' | 'unknown';
  /** The driver says that the picture may be damaged. */
  readonly damaged: boolean;
}

export function capabilityRequest(): Buffer {
  return Buffer.alloc(104);
}

export function parseCapabilities(bytes: Buffer): VideoCapabilities {
  const all = bytes.readUInt32LE(84);
  const own = (all & HAS_DEVICE_CAPABILITIES) === 0 ? all : bytes.readUInt32LE(88);
  return {
    driver: textAt(bytes, 0, 16),
    card: textAt(bytes, 16, 32),
    bus: textAt(bytes, 48, 32),
    captures: (own & CAN_CAPTURE) !== 0 && (own & CAN_STREAM) !== 0,
  };
}

export function formatQuestion(index: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 4);
  return bytes;
}

export function parseOfferedFormat(bytes: Buffer): number {
  return bytes.readUInt32LE(44);
}

export function formatRequest(width: number, height: number, pixelFormat: number): Buffer {
  const bytes = Buffer.alloc(208);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 0);
  bytes.writeUInt32LE(width, 8);
  bytes.writeUInt32LE(height, 12);
  bytes.writeUInt32LE(pixelFormat, 16);
  bytes.writeUInt32LE(FIELD_ANY, 20);
  return bytes;
}

export function parseFormat(bytes: Buffer): VideoFormat {
  return {
    width: bytes.readUInt32LE(8),
    height: bytes.readUInt32LE(12),
    pixelFormat: bytes.readUInt32LE(16),
    bytesPerLine: bytes.readUInt32LE(24),
    imageBytes: bytes.readUInt32LE(28),
    colorSpace: bytes.readUInt32LE(32),
  };
}

export function buffersRequest(count: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(count, 0);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 4);
  bytes.writeUInt32LE(MEMORY_MMAP, 8);
  return bytes;
}

export function parseBufferCount(bytes: Buffer): number {
  return bytes.readUInt32LE(0);
}

export function bufferRequest(index = 0): Buffer {
  const bytes = Buffer.alloc(88);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 4);
  bytes.writeUInt32LE(MEMORY_MMAP, 60);
  return bytes;
}

export function parseFilledBuffer(bytes: Buffer): FilledBuffer {
  const flags = bytes.readUInt32LE(12);
  return {
    index: bytes.readUInt32LE(0),
    bytes: bytes.readUInt32LE(8),
    sequence: bytes.readUInt32LE(56),
    timestampNs: bytes.readBigInt64LE(24) * 1_000_000_000n + bytes.readBigInt64LE(32) * 1_000n,
    clock: (flags & FLAG_TIMESTAMP_MASK) === FLAG_TIMESTAMP_MONOTONIC ? 'monotonic' : 'unknown',
    damaged: (flags & FLAG_ERROR) !== 0,
  };
}

/** `flags`: how the descriptor is opened, O_CLOEXEC and an access mode of open(2). */
export function exportRequest(index: number, flags: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 0);
  bytes.writeUInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 12);
  return bytes;
}

export function parseExported(bytes: Buffer): number {
  return bytes.readInt32LE(16);
}

export function streamRequest(): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(VIDEO_CAPTURE, 0);
  return bytes;
}

function textAt(bytes: Buffer, at: number, length: number): string {
  const text = bytes.subarray(at, at + length);
  const end = text.indexOf(0);
  return text.toString('utf8', 0, end === -1 ? length : end);
}
