// The layout of tables, bars and progress on terminals of every kind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, track } from './bars.js';
import { LiveLines } from './live.js';
import { Progress, StatusLine } from './progress.js';
import { colourEnabled, createStyle, unicodeEnabled } from './style.js';
import { type Column, renderTable } from './table.js';
import { Screen } from './terminal.js';
import { displayWidth, shorten, wrap } from './width.js';

const PLAIN = { style: createStyle(false), ellipsis: '...' };
const COLUMNS: Column[] = [
  { title: 'ID', align: 'right' },
  { title: 'OWNER', optional: true },
  { title: 'NAME', flexible: true },
];

/** A stream that remembers what was written. */
function record(options: { isTTY: boolean; columns?: number }) {
  const written: string[] = [];
  const stream = {
    ...options,
    write(text: string, done?: () => void) {
      written.push(text);
      done?.();
      return true;
    },
  };
  return { stream, written };
}

function screen(terminal: boolean, columns = 60, environment: NodeJS.ProcessEnv = {}) {
  const { stream, written } = record({ isTTY: terminal, columns });
  return { screen: new Screen(stream, { colour: true, environment }), written };
}

test('columns are aligned, and an empty optional one is left out', () => {
  const lines = renderTable(
    COLUMNS,
    [
      ['7', '', 'model.bin'],
      ['1234', '', 'x'],
    ],
    PLAIN,
  );
  assert.deepEqual(lines, ['  ID  NAME', '   7  model.bin', '1234  x']);
});

test('an optional column with one value is shown', () => {
  const lines = renderTable(
    COLUMNS,
    [
      ['7', 'beta', 'a'],
      ['8', '', 'b'],
    ],
    PLAIN,
  );
  assert.deepEqual(lines, ['ID  OWNER  NAME', ' 7  beta   a', ' 8         b']);
});

test('the flexible column is shortened to the width of the terminal', () => {
  const lines = renderTable(COLUMNS, [['7', '', 'a-very-long-name-indeed']], { ...PLAIN, width: 20 });
  assert.deepEqual(lines, ['ID  NAME', ' 7  a-very-long-n...']);
});

test('a column that yields is left out before a name is shortened, and no sooner', () => {
  const columns: Column[] = [
    { title: 'ID' },
    { title: 'DIGEST', yields: true },
    { title: 'NAME', flexible: true },
  ];
  const rows = [['1', 'sha256', 'a long name']];
  const wide = renderTable(columns, rows, { ...PLAIN, width: 23 });
  assert.deepEqual(wide, ['ID  DIGEST  NAME', '1   sha256  a long name']);
  const narrow = renderTable(columns, rows, { ...PLAIN, width: 22 });
  assert.deepEqual(narrow, ['ID  NAME', '1   a long name']);
  assert.deepEqual(renderTable(columns, rows, { ...PLAIN, width: 12 }), ['ID  NAME', '1   a lon...']);
});

test('wide characters and marks count as the columns that they take', () => {
  assert.deepEqual(['abc', '模型', 'é', 'e\u0301', '👩‍👩‍👧', ''].map(displayWidth), [3, 4, 1, 1, 2, 0]);
  assert.equal(shorten('模型模型', 5, '\u2026'), '模型\u2026');
});

test('text is wrapped at spaces', () => {
  assert.deepEqual(wrap('one two three four', 9), ['one two', 'three', 'four']);
  assert.deepEqual(wrap('averylongword x', 4), ['averylongword', 'x']);
});

test('bars have a length in proportion, and never vanish', () => {
  assert.deepEqual(
    [bar(1, 4, false), bar(0.5, 4, false), bar(0.001, 4, false), bar(0, 4, false)],
    ['####', '##', '#', ''],
  );
  assert.deepEqual(
    [bar(1, 2, true), bar(0.25, 2, true), bar(0.0001, 2, true)],
    ['\u2588\u2588', '\u258c', '\u258f'],
  );
  assert.equal(bar(Number.NaN, 4, false), '');
  assert.deepEqual([track(0.5, 4, false), track(2, 2, true)], ['##..', '\u2588\u2588']);
});

test('colour follows the option, NO_COLOR, FORCE_COLOR and the terminal, in this order', () => {
  const enabled = (terminal: boolean, environment: NodeJS.ProcessEnv, wanted = true) =>
    colourEnabled({ terminal, wanted, environment });
  assert.equal(enabled(true, {}), true);
  assert.equal(enabled(false, {}), false);
  assert.equal(enabled(true, { TERM: 'dumb' }), false);
  assert.equal(enabled(true, { NO_COLOR: '1' }), false);
  assert.equal(enabled(true, { NO_COLOR: '' }), true);
  assert.equal(enabled(false, { FORCE_COLOR: '1' }), true);
  assert.equal(enabled(true, { FORCE_COLOR: '0' }), false);
  assert.equal(enabled(false, { FORCE_COLOR: '1', NO_COLOR: '1' }), false);
  assert.equal(enabled(true, { FORCE_COLOR: '1' }, false), false);
});

test('Unicode is drawn only where the locale has it', () => {
  assert.equal(unicodeEnabled({ LANG: 'C.UTF-8' }), true);
  assert.equal(unicodeEnabled({ LANG: 'en_US.utf8', LC_ALL: 'C' }), false);
  assert.equal(unicodeEnabled({ LANG: 'C.UTF-8', TERM: 'linux' }), false);
  assert.equal(unicodeEnabled({}), false);
});

test('progress is shown on a terminal once the work lasts, fits the line, and is removed at its end', () => {
  const { screen: terminal, written } = screen(true, 90, { NO_COLOR: '1' });
  let now = 0;
  {
    using progress = new Progress(terminal, 'model\x1b[2J.bin', () => now);
    progress.update(0, 100);
    assert.deepEqual(written, []);
    now = 1000;
    progress.update(2 ** 20, 2 ** 22);
    progress.update(2 ** 21, 2 ** 22);
  }
  assert.equal(written.length, 2);
  // Without colour the line holds one escape sequence, the one that clears it: the name's own was escaped.
  const [clear, line] = [(written[0] ?? '').slice(0, 4), (written[0] ?? '').slice(4)];
  assert.equal(clear, '\r\x1b[K');
  assert.match(line, /^model[\x20-\x7e]+ {2}25% {2}1\.00 MiB of 4\.00 MiB {2}1\.00 MiB\/s$/);
  assert.ok(line.length < 90, line);
  assert.equal(written[1], '\r\x1b[K');
});

test('progress and status say nothing, or plain lines, in a pipe', () => {
  const { screen: pipe, written } = screen(false);
  {
    let now = 0;
    using progress = new Progress(pipe, 'x', () => now);
    now = 5000;
    progress.update(1, 2);
    using silent = new StatusLine(pipe, true);
    silent.show('nothing');
    using status = new StatusLine(pipe, false);
    status.show('reading');
  }
  assert.deepEqual(written, ['reading\n']);
});

test('a terminal of no columns has those of most, and a dumb one gets lines and no escapes', () => {
  const { screen: unknown } = screen(true, 0);
  assert.deepEqual([unknown.columns, unknown.rows, unknown.layout.width], [80, 24, 80]);
  for (const [TERM, again] of [
    ['xterm', '\x1b[1A\r\x1b[Jtwo\n'],
    ['dumb', 'two\n'],
  ] as const) {
    const { screen: terminal, written } = screen(true, 60, { TERM });
    const live = new LiveLines(terminal);
    live.draw(['one']);
    live.draw(['two']);
    assert.deepEqual(written, ['one\n', again]);
  }
  const { screen: dumb, written } = screen(true, 60, { TERM: 'dumb' });
  let now = 0;
  using progress = new Progress(dumb, 'x', () => now);
  now = 10_000;
  progress.update(1, 2);
  assert.deepEqual(written, []);
});
