// The metadata of frames against spec/vectors: bytes that were made from the tables of spec/frames.md, for programs in other languages too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pixelFormats } from './formats.js';
import { frameMetadata } from './frame-codec.js';
import { decodeFrameMetadata, encodeFrameMetadata, type FrameMetadata } from './frame-metadata.js';

/** The root of the repository, seen from the compiled tests. */
const ROOT = new URL('../../../..', import.meta.url);

interface Vector {
  readonly name: string;
  readonly hex: readonly string[];
}

/** With decimal texts in place of the two numbers of 64 bits. */
interface Accepted extends Vector {
  readonly frame: Omit<FrameMetadata, 'modifier' | 'timestampNs'> & { modifier: string; timestampNs: string };
}

interface Refused extends Vector {
  readonly version?: number;
}

function read<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`spec/vectors/${name}.json`, ROOT), 'utf8')) as T[];
}

function bytesOf({ hex }: Vector): Uint8Array {
  return Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
}

function frameOf({ frame }: Accepted): FrameMetadata {
  return { ...frame, modifier: BigInt(frame.modifier), timestampNs: BigInt(frame.timestampNs) };
}

test('every frame of the vectors is decoded to what it says and encoded to its bytes', () => {
  for (const vector of read<Accepted>('frames')) {
    const [bytes, frame] = [bytesOf(vector), frameOf(vector)];
    assert.equal(bytes.length, 192, vector.name);
    const decoded = decodeFrameMetadata(bytes);
    assert.deepEqual({ ...decoded, fences: { ...decoded.fences } }, frame, vector.name);
    assert.deepEqual(Buffer.from(encodeFrameMetadata(frame)), bytes, vector.name);
    assert.deepEqual(frameMetadata.decode(bytes, decodeFrameMetadata(bytes)), decoded, vector.name);
  }
});

test('every frame of the vectors that must be refused is refused, also after one that is like it', () => {
  for (const vector of read<Refused>('frames-refused')) {
    const bytes = bytesOf(vector);
    const code = vector.version === undefined ? 'ERR_SEALANE_PROTOCOL' : 'ERR_SEALANE_VERSION_MISMATCH';
    assert.throws(() => decodeFrameMetadata(bytes), { code }, vector.name);
    for (const accepted of read<Accepted>('frames'))
      assert.throws(() => frameMetadata.decode(bytes, frameOf(accepted)), { code }, vector.name);
  }
});

test('the formats of which the sizes are known are those of the table', () => {
  const text = readFileSync(new URL('spec/frames.md', ROOT), 'utf8');
  const rows = [...text.matchAll(/^\| ((?:`[A-Z0-9]{2,4}` ?)+) \| (.*) \|$/gm)];
  const table = rows.flatMap(([, codes = '', planes = '']) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, name = '']) => `${name}: ${planes}`),
  );
  const known = pixelFormats().map(({ name, planes }) => {
    const drawn = planes.map(({ groupBytes, groupPixels, rowDivisor }) => {
      const pixels = groupPixels === 1 ? '1 pixel' : `${groupPixels} pixels`;
      return `${groupBytes} B for ${pixels}${rowDivisor === 1 ? '' : `, every ${rowDivisor} rows`}`;
    });
    return `${name}: ${drawn.join('; ')}`;
  });
  assert.deepEqual(table.sort(), known.sort());
});
