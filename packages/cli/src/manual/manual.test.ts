// The manual: complete, up to date, and well-formed by the programs that read it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parsePolicy } from '../policy/document.js';
import { createProgram } from '../program.js';
import { describeProgram, flatten } from '../reference/tree.js';
import { Terminal } from '../terminal/terminal.js';
import { manual } from './index.js';
import { POLICY_EXAMPLE } from './policy-file.js';
import { bold, renderPage } from './roff.js';
import { TEXTS } from './texts.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  man: string[];
  version: string;
};
const pages = manual(manifest.version);
const folder = join(root, 'man');
const files = [...pages.keys()].sort().map((name) => join(folder, name));
const tree = describeProgram(createProgram(new Terminal({ json: false, colour: false })));
const commands = flatten(tree).filter(({ path }) => path.length > 1 && path.at(-1) !== 'help');

function says(program: string, words: string[]): { status: number | null; output: string } {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100', MAN_KEEP_FORMATTING: '' };
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', env });
  return { status, output: `${stdout}${stderr}` };
}

test('every command has a page, which the package lists', () => {
  const others = ['sealane.1', 'sealane.7', 'sealane-policy.5'];
  const expected = [...others, ...commands.map(({ path }) => `${path.join('-')}.1`)].sort();
  assert.deepEqual([...pages.keys()].sort(), expected);
  assert.deepEqual(
    [...manifest.man].sort(),
    expected.map((name) => `./man/${name}`),
    'packages/cli/package.json lists the pages in man',
  );
});

test('the pages that the build has written are those of the commands as they are', () => {
  assert.deepEqual(readdirSync(folder).sort(), [...pages.keys()].sort());
  for (const [name, text] of pages) assert.equal(readFileSync(join(folder, name), 'utf8'), text);
});

test('every option and argument of a command is on its page, and every text belongs to a command', () => {
  for (const { path, options, arguments: list, globals } of commands) {
    const page = pages.get(`${path.join('-')}.1`) ?? '';
    for (const name of [...options, ...globals].flatMap(({ names }) => names))
      assert.ok(page.includes(`\\fB${name.replaceAll('-', '\\-')}\\fR`), `${path.join(' ')} ${name}`);
    for (const { name } of list) assert.ok(page.includes(`\\fI${name}\\fR`), name);
  }
  const names = commands.map(({ path }) => path.slice(1).join(' '));
  assert.deepEqual(
    Object.keys(TEXTS).filter((name) => !names.includes(name)),
    [],
  );
});

test('pages that are referred to are there, as far as they are ours', () => {
  for (const [name, text] of pages) {
    for (const [, page, section] of text.matchAll(/(sealane(?:\\-[a-z\\-]+)?)(?:\\fR)?\((\d)\)/g))
      assert.ok(
        pages.has(`${page?.replaceAll('\\-', '-')}.${section}`),
        `${name} refers to ${page}(${section})`,
      );
  }
});

test('the policy on its page is one that the command takes, with all that it shows', () => {
  const { document, problems } = parsePolicy(POLICY_EXAMPLE.join('\n'));
  assert.deepEqual(problems, []);
  assert.deepEqual(Object.keys(document ?? {}).sort(), ['admit', 'grant', 'job', 'quota']);
});

test('man finds nothing wrong with a page', (t) => {
  if (says('man', ['--version']).status !== 0) return t.skip('there is no man');
  for (const file of files)
    assert.deepEqual(
      says('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', file]).output.match(/^.*warning.*$/gim),
      null,
    );
});

test('mandoc finds nothing wrong with a page', (t) => {
  if (says('mandoc', ['-T', 'lint', '/dev/null']).output === '') return t.skip('there is no mandoc');
  for (const file of files)
    assert.equal(says('mandoc', ['-T', 'lint', '-W', 'style', file]).output, '', file);
});

test('what is on a page can be typed: a minus is a minus, and nothing is broken at one', (t) => {
  const { output } = says('man', ['-P', 'cat', '-l', join(folder, 'sealane-broker.1')]);
  if (!output.includes('SEALANE')) return t.skip('there is no man that shows pages');
  assert.match(output, /--max-record-bytes-per-user size/);
  assert.match(output, /^ +sealane broker --socket \/run\/camera\/bus\.sock --max-bytes 4GiB$/m);
});

test('no text becomes a request', () => {
  const hostile = ['.so /etc/passwd', "'br", '\\fBbold', 'a "b" -- c', '.', '\\'];
  const blocks = hostile.flatMap((text) => [
    { paragraph: text },
    { lines: [text] },
    { list: [[bold(text), text] as const] },
  ]);
  const page = renderPage({ name: 'x', section: 1, sections: [{ title: '.T', blocks }] }, '1', '2026-01-02');
  const macros = /^\.(\\"|TH X 1 |nh|ad l|SH |PP|nf|RS 4|RE|fi|TP)/;
  for (const line of page.split('\n')) {
    if (/^[.']/.test(line)) assert.match(line, macros);
    assert.doesNotMatch(line, /\\f[^BIR]|\\[^fe\-&("]/);
  }
});
