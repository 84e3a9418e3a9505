/** Writes PNG files, as far as this example needs them: 8 bits a channel, red, green, blue and opacity, no filter (W3C PNG, section 11). */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const RGBA = 6;
const PIXEL_BYTES = 4;

const deflated = promisify<Uint8Array, { level: number }, Buffer>(deflate);

/** The file of a picture, whose bytes are only read. */
export async function encodePng(rgba: Uint8Array, width: number, height: number): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, RGBA], 8);
  // Each line begins with the number of its filter: 0, none.
  const lineBytes = width * PIXEL_BYTES;
  const lines = Buffer.alloc((lineBytes + 1) * height);
  for (let y = 0; y < height; y++)
    lines.set(rgba.subarray(y * lineBytes, (y + 1) * lineBytes), y * (lineBytes + 1) + 1);
  const content = await deflated(lines, { level: 1 });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', content),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crc32(typed), 4);
  return Buffer.concat([ends.subarray(0, 4), typed, ends.subarray(4)]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 (ISO 3309). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
