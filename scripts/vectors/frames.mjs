/** Metadata of frames, from the tables of spec/frames.md: those that are accepted with what they say, and those that must be refused, with why. */
import { u32, u64 } from './assemble.mjs';

const u8 = (value) => value.toString(16).padStart(2, '0');
const code = (text) => Buffer.from(text.padEnd(4), 'latin1').readUInt32LE(0);

const CLOCKS = ['unknown', 'realtime', 'monotonic', 'boottime'];
const RANGES = ['unknown', 'limited', 'full'];
const PLANES = 4;
const NO_PLANE = '00'.repeat(32);
const UNSPECIFIED = { primaries: 2, transfer: 2, matrix: 2, range: 'unknown' };

const plane = (descriptor, offset, stride, bytes) => ({ descriptor, offset, stride, bytes });

/** What is said of a frame, complete; times and modifiers are decimal texts, since they have 64 bits. */
function frame(width, height, fourcc, planes, others = {}) {
  return {
    width,
    height,
    fourcc: typeof fourcc === 'string' ? code(fourcc) : fourcc,
    modifier: '0',
    planes,
    color: UNSPECIFIED,
    sequence: 0,
    timestampNs: '0',
    clock: 'unknown',
    damaged: false,
    fences: {},
    ...others,
  };
}

/** Lines of the table: begin, size, format, time, colour, fences; then a line for each plane. `raw` overrides words by their names. */
function hexOf(frame, raw = {}) {
  const { clock, color, fences, planes } = frame;
  const at = (name, value) => raw[name] ?? value;
  const fence = (index) => u8(index === undefined ? 0 : 1 + index);
  const drawn = Array.from({ length: PLANES }, (_, index) => planeHex(planes[index], raw[`plane${index}`]));
  return [
    `${at('magic', '534c464d')} ${at('version', '0100')} ${at('flags', frame.damaged ? '0100' : '0000')}`,
    `${u32(frame.width)} ${u32(frame.height)}`,
    `${u32(frame.fourcc)} ${at('planes', u32(planes.length))} ${u64(BigInt(frame.modifier))}`,
    `${at('sequence', u64(frame.sequence))} ${u64(BigInt(frame.timestampNs))} ${at('clock', u32(CLOCKS.indexOf(clock)))}`,
    `${u8(color.primaries)}${u8(color.transfer)}${u8(color.matrix)} ${at('range', u8(RANGES.indexOf(color.range)))}`,
    `${at('acquire', fence(fences.acquire))} ${at('release', fence(fences.release))} ${at('reserved', '000000000000')}`,
    ...drawn,
  ];
}

function planeHex(plane, raw) {
  if (raw !== undefined) return raw;
  if (plane === undefined) return NO_PLANE;
  const { descriptor, stride, offset, bytes } = plane;
  return `${u32(descriptor)} ${u32(stride)} ${u64(offset)} ${u64(bytes)} 0000000000000000`;
}

const accept = (name, said) => ({ name, hex: hexOf(said), frame: said });
const refuse = (name, reason, said, raw) => ({ name, hex: hexOf(said, raw), reason });

const dot = frame(1, 1, 'XR24', [plane(0, 0, 4, 4)]);
const nv12 = (width, height, luma, chroma) => frame(width, height, 'NV12', [luma, chroma]);

export const frames = [
  accept('one pixel, and nothing else is said', dot),
  accept(
    'a picture of a camera',
    frame(640, 480, 'YUYV', [plane(0, 0, 1280, 614_400)], {
      color: { primaries: 1, transfer: 1, matrix: 6, range: 'limited' },
      sequence: 4_294_967_297,
      timestampNs: '1234567890123456789',
      clock: 'monotonic',
    }),
  ),
  accept(
    'chroma of odd sides, rounded up, in a descriptor of its own',
    nv12(5, 3, plane(0, 0, 5, 15), plane(1, 0, 6, 12)),
  ),
  accept('last rows without what is between two rows', nv12(4, 4, plane(0, 0, 16, 52), plane(0, 64, 16, 20))),
  accept('planes that overlap', nv12(4, 2, plane(0, 0, 4, 8), plane(0, 4, 4, 4))),
  accept('three planes', frame(4, 2, 'YU12', [plane(0, 0, 4, 8), plane(0, 8, 2, 2), plane(0, 10, 2, 2)])),
  accept(
    'a format that nobody knows, without a code or strides',
    frame(65_535, 65_535, 0, [plane(0, 0, 0, 1)]),
  ),
  accept(
    'a modifier, for which planes and strides are what its maker says',
    frame(1920, 1080, 'XR24', [plane(0, 0, 0, 1), plane(0, 4096, 0, 1)], {
      modifier: '18446744073709551615',
    }),
  ),
  accept(
    'all greatest numbers, four planes',
    frame(
      1,
      1,
      0xffff_ffff,
      [0, 1, 2, 3].map((index) => plane(index, 2 ** 53 - 2, 0xffff_ffff, 1)),
      {
        sequence: 2 ** 53 - 1,
        timestampNs: '18446744073709551615',
        clock: 'boottime',
        color: { primaries: 255, transfer: 255, matrix: 255, range: 'full' },
      },
    ),
  ),
  accept('a damaged picture', { ...dot, damaged: true, clock: 'realtime' }),
  accept('fences behind the memory', { ...dot, fences: { acquire: 1, release: 3 } }),
  accept('one fence for both', { ...dot, fences: { acquire: 2, release: 2 } }),
];

export const framesRefused = [
  { name: 'nothing', hex: [], reason: 'there are 192 bytes' },
  { name: 'a byte too few', hex: cut(hexOf(dot)), reason: 'there are 192 bytes' },
  { name: 'a byte too many', hex: [...hexOf(dot), '00'], reason: 'there are 192 bytes' },
  refuse('another magic number', 'it begins with SLFM', dot, { magic: '534c4645' }),
  { ...refuse('another version', 'the version is 1', dot, { version: '0200' }), version: 2 },
  refuse('an unknown flag', 'flags but bit 0 are 0', dot, { flags: '0200' }),
  refuse('no width', 'a side is 1 to 65,535', { ...dot, width: 0 }),
  refuse('too great a height', 'a side is 1 to 65,535', { ...dot, height: 65_536 }),
  refuse('no plane', 'planes are 1 to 4', dot, { planes: u32(0) }),
  refuse('five planes', 'planes are 1 to 4', dot, { planes: u32(5) }),
  refuse('a number of 2^53', 'the sequence is below 2^53', dot, { sequence: u64(2n ** 53n) }),
  refuse('clock 7', 'clocks are 0 to 3', dot, { clock: u32(7) }),
  refuse('range 3', 'ranges are 0 to 2', dot, { range: u8(3) }),
  refuse('a fence that is a fifth descriptor', 'a frame has at most 4 descriptors', dot, { acquire: u8(5) }),
  refuse('a fence that a plane lies in', 'a fence is no memory', { ...dot, fences: { release: 0 } }),
  refuse('a word behind the fences', 'what is not named is 0', dot, { reserved: '000000000001' }),
  refuse('a plane in a fifth descriptor', 'a frame has at most 4 descriptors', {
    ...dot,
    planes: [plane(4, 0, 4, 4)],
  }),
  refuse('an empty plane', 'a plane has at least 1 byte', frame(1, 1, 0, [plane(0, 0, 0, 0)])),
  refuse('a plane that ends at 2^53', 'offset and length are below 2^53 together', {
    ...dot,
    planes: [plane(0, 2 ** 53 - 4, 4, 4)],
  }),
  refuse('a word behind the length of a plane', 'what is not named is 0', dot, {
    plane0: planeHex(dot.planes[0]).replace(/.$/, '1'),
  }),
  refuse('a word in a plane that is not there', 'planes that are not there are 0', dot, {
    plane1: `01${NO_PLANE.slice(2)}`,
  }),
  refuse('a plane too few for its format', 'NV12 has 2 planes', frame(4, 2, 'NV12', [plane(0, 0, 4, 12)])),
  refuse(
    'a plane too many for its format',
    'XR24 has 1 plane',
    frame(1, 1, 'XR24', [plane(0, 0, 4, 4), plane(0, 4, 4, 4)]),
  ),
  refuse('a stride without room for a row', 'a stride holds a row', frame(2, 1, 'XR24', [plane(0, 0, 7, 8)])),
  refuse('no stride, of a known format', 'a stride holds a row', frame(1, 1, 'R8', [plane(0, 0, 0, 1)])),
  refuse(
    'a length without room for the last row',
    'a plane holds all rows',
    frame(4, 4, 'R8', [plane(0, 0, 16, 51)]),
  ),
  refuse(
    'chroma of odd sides, rounded down',
    'rows and columns of chroma are rounded up',
    nv12(5, 3, plane(0, 0, 5, 15), plane(0, 15, 4, 8)),
  ),
];

/** Without the last byte. */
function cut(hex) {
  return [...hex.slice(0, -1), hex.at(-1)?.slice(0, -2) ?? ''];
}
