// Where things of a TOML document stand, whatever surrounds them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { locate, pathText } from './positions.js';

test('tables, keys and elements are found among comments, strings and lists of several lines', () => {
  const text = [
    '# [[grant]] in a comment', // 1
    '[[grant]]', // 2
    'names = [ "a # no comment", # a comment with ] and "', // 3
    "  'x = 1', '''", // 4
    '[[grant]]', // 5
    "'''", // 6
    ']', // 7
    ' "may"\t= ["get"]', // 8
    '[[ grant ]] # the second', // 9
    'quota = { bytes = 1, "object s" = [2, {x.y = 3}] }', // 10
    'text = """"quoted"" \\""" end"""', // 11
    'last = 1979-05-27 07:32:00', // 12
  ].join('\n');
  const positions = locate(text);
  const at = (path: string) => {
    const { line, column } = positions.get(path) ?? {};
    return `${line}:${column}`;
  };
  assert.deepEqual(
    ['grant[0]', 'grant[0].names', 'grant[0].names[0]', 'grant[0].names[1]', 'grant[0].names[2]'].map(at),
    ['2:1', '3:1', '3:11', '4:3', '4:12'],
  );
  assert.deepEqual(['grant[0].may', 'grant[0].may[0]', 'grant[1]'].map(at), ['8:2', '8:11', '9:1']);
  assert.deepEqual(['grant[1].quota.object s[1].x.y', 'grant[1].text', 'grant[1].last'].map(at), [
    '10:40',
    '11:1',
    '12:1',
  ]);
  assert.equal(positions.size, 16);
});

test('every value of a document has a position, and the text there is its own', () => {
  const key = fc.stringMatching(/^[a-z]{1,3}$/);
  const string = fc.constantFrom('', 'a', '#', '[[x]]', '= 1', '\\', '"', '\n', ',}]');
  const value = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, string, fc.nat(99), tie('list'), tie('table')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    table: fc.dictionary(key, tie('value'), { maxKeys: 3 }),
  }));
  const section = fc.record({ name: key, entries: fc.dictionary(key, value.value, { maxKeys: 3 }) });
  fc.assert(
    fc.property(
      fc.array(section, { maxLength: 4 }),
      fc.constantFrom(' ', '\n', ' # ]"\n'),
      (sections, gap) => {
        const lines = sections.flatMap(({ name, entries }) => [
          `[[${name}]]`,
          ...Object.entries(entries).map(([entry, content]) => `${entry} = ${write(content, gap)}`),
        ]);
        const text = lines.join('\n');
        const positions = locate(text);
        const paths = [...pathsOf(parse(text), [])];
        for (const path of paths) assert.ok(positions.has(path), `${path} in ${text}`);
        for (const path of positions.keys()) assert.ok(paths.includes(path), `${path} in ${text}`);
      },
    ),
  );
});

/** A value as TOML, with gaps in its lists. */
function write(value: unknown, gap: string): string {
  if (Array.isArray(value))
    return `[${value.map((item) => `${gap}${write(item, gap)}${gap}`).join(',')}${gap}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, item]) => ` ${key} = ${write(item, gap)} `)}}`;
}

function* pathsOf(value: unknown, steps: (string | number)[]): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [step, item] of entries) {
    const path = [...steps, step];
    // A list of tables under double brackets has no place of its own.
    if (!(steps.length === 0 && Array.isArray(item))) yield pathText(path);
    yield* pathsOf(item, path);
  }
}

test('text that is no TOML is left alone, and comes to an end', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'[]{}"\'=.,\n #a1\\') }), (text) => {
      locate(text);
    }),
  );
});
