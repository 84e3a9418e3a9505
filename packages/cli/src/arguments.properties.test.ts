// Whatever stands on the command line or in the environment of a service is read or refused as a usage error; and what is written for a person or a
// script can be read back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { count, digest, duration, job, metadata, objectName, parseTarget, size } from './arguments.js';
import { CommandError } from './failure.js';
import { takeServiceEnvironment } from './service/environment.js';
import { ABSENT, escapeText, field, jsonText, listField } from './terminal/escape.js';
import { parseDuration, parseSize } from './terminal/units.js';

const SIZE_UNITS = {
  '': 1,
  B: 1,
  KiB: 1024,
  K: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  KB: 1000,
  MB: 1e6,
  GB: 1e9,
};
const TIME_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Texts of every character, and such as nearly are numbers with units. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[-+]?[0-9]{0,20}(\.[0-9]{0,20})?(e[0-9]+)? ?[a-zA-Z]{0,4}$/),
  fc.string(),
);

/** What a parser gives; undefined when it refused as the command refuses. */
function refusedOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CommandError && error.code === 'ERR_SEALANE_CLI_USAGE') return undefined;
    throw error;
  }
}

test('any text is a number that fits or a usage error', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const parse of [count('--x', 1), size('--x'), duration('--x')]) {
        const value = refusedOr(() => parse(text, undefined));
        assert(value === undefined || (Number.isSafeInteger(value) && value >= 1), `${text}: ${value}`);
      }
    }),
    { numRuns: 5_000 },
  );
});

test('a number with a unit is that many of them', () => {
  fc.assert(
    fc.property(
      fc.nat(1_000_000),
      fc.constantFrom(...Object.entries(SIZE_UNITS)),
      (amount, [unit, factor]) => {
        assert.equal(parseSize(`${amount}${unit}`), amount * factor);
        assert.equal(parseSize(`${amount} ${unit.toLowerCase()}`), amount * factor);
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.nat(1_000_000),
      fc.constantFrom(...Object.entries(TIME_UNITS)),
      (amount, [unit, factor]) => {
        assert.equal(parseDuration(`${amount}${unit}`), amount * factor);
      },
    ),
  );
});

test('any text is a name, a job, a digest, a pair and a target, or a usage error', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const parse of [objectName('--x'), job('--x')])
        assert([undefined, text].includes(refusedOr(() => parse(text, undefined))));
      const found = refusedOr(() => digest('--x')(text, undefined));
      assert(found === undefined || /^sha256:[0-9a-f]{64}$/.test(found));
      const pairs = refusedOr(() => metadata('--x')(text, undefined));
      assert(
        pairs === undefined || Object.entries(pairs).map(([key, value]) => `${key}=${value}`)[0] === text,
      );
      for (const kind of [{}, { id: true }, { name: true }, { digest: true }])
        refusedOr(() => parseTarget(text, kind));
      assert.deepEqual(
        refusedOr(() => parseTarget(text, { name: true })),
        text === '' ? undefined : { name: text },
      );
    }),
    { numRuns: 5_000 },
  );
});

test('any environment of a service is read and removed, or refused as a usage error', () => {
  const variables = fc.record(
    {
      NOTIFY_SOCKET: anyText,
      WATCHDOG_USEC: anyText,
      WATCHDOG_PID: fc.oneof(anyText, fc.constant(String(process.pid))),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(variables, (environment) => {
      const given = { ...environment };
      const told = refusedOr(() => takeServiceEnvironment(given));
      assert.deepEqual(given, {});
      const { watchdogMs } = told ?? {};
      assert(watchdogMs === undefined || (watchdogMs >= 1 && watchdogMs <= 2_147_483_647));
    }),
    { numRuns: 2_000 },
  );
});

/** Undoes C escapes, as `printf %b` does. */
function readBack(text: string): string {
  const named: Record<string, string> = {
    a: '\x07',
    b: '\b',
    t: '\t',
    n: '\n',
    v: '\v',
    f: '\f',
    r: '\r',
    '\\': '\\',
  };
  return text.replace(/\\(?:([0-7]{3})|u([0-9a-f]{4})|(.))/gu, (_, octal, hex, letter) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    return hex === undefined
      ? (named[letter] ?? assert.fail(letter))
      : String.fromCharCode(Number.parseInt(hex, 16));
  });
}

test('what is printed has no control character, and is read back exactly', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 4 }), (value, values) => {
      for (const printed of [escapeText(value), field(value), listField(values), jsonText(value)])
        assert.doesNotMatch(printed, /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      assert.equal(readBack(escapeText(value)), value);
      assert.equal(readBack(field(value)), value);
      assert.equal(JSON.parse(jsonText(value)), value);
      const back = listField(values) === ABSENT ? [] : listField(values).split(',').map(readBack);
      assert.deepEqual(back, values);
    }),
    { numRuns: 3_000 },
  );
});
