/** Waiting lines: nothing is lost or reordered, whatever their lengths and however memory is used again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countLines, Lines } from './lines.js';

test('lines come out in their order, as the bytes of their text', () => {
  const lines = new Lines();
  lines.append('one\n');
  lines.append('größe 😀\n');
  assert.equal(lines.bytes, Buffer.byteLength('one\ngröße 😀\n'));
  assert.equal(Buffer.from(lines.take() ?? []).toString(), 'one\ngröße 😀\n');
  assert.equal(lines.bytes, 0);
  assert.equal(lines.take(), undefined);
});

test('property: any lines, short or far longer than a chunk, taken and given back at any time', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom('x', 'ä', '😀'), fc.integer({ min: 0, max: 60_000 })) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('x', 'ä', '😀'), fc.integer({ min: 80_000, max: 400_000 })),
    },
    { weight: 4, arbitrary: fc.constant('take' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const lines = new Lines();
      const [came, went]: [string[], string[]] = [[], []];
      const take = (): boolean => {
        const taken = lines.take();
        if (taken === undefined) return false;
        went.push(Buffer.from(taken).toString());
        lines.giveBack(taken.subarray(taken.length));
        return true;
      };
      for (const [index, each] of steps.entries()) {
        if (each === 'take') take();
        else {
          const line = `${index}${each[0].repeat(each[1])}\n`;
          came.push(line);
          lines.append(line);
        }
        assert.equal(lines.bytes, Buffer.byteLength(came.join('')) - Buffer.byteLength(went.join('')));
      }
      while (take());
      assert.equal(went.join(''), came.join(''));
    }),
    { numRuns: 50 },
  );
});

test('what is forgotten is counted by its lines', () => {
  const lines = new Lines();
  for (let count = 0; count < 5_000; count++) lines.append(`${'x'.repeat(count % 300)}\n`);
  assert.equal(lines.clear(), 5_000);
  assert.equal(lines.bytes, 0);
  assert.equal(countLines(Buffer.from('half\nwhole\ntorn')), 2);
});
