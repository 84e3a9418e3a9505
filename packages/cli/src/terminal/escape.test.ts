// Names that others chose must not forge lines, fields or terminal sequences, and must be recoverable.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { escapeControls, escapeText, field, jsonText, listField, shellWord } from './escape.js';

const HOSTILE = 'a\tb\nc\rd\x1b[31m\\e\x07\b\v\f\x00\x7f\u009b2J\u202ef\u2028g';

test('a hostile name becomes one field on one line', () => {
  assert.equal(
    escapeText(HOSTILE),
    'a\\tb\\nc\\rd\\033[31m\\\\e\\a\\b\\v\\f\\000\\177\\u009b2J\\u202ef\\u2028g',
  );
});

test('printf %b recovers an escaped name', () => {
  const name = HOSTILE.replaceAll('\x00', '');
  const recovered = execFileSync('bash', ['-c', 'printf %b "$1"', 'bash', escapeText(name)], {
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.equal(recovered.toString('utf8'), name);
});

test('ordinary text in any script is left as it is', () => {
  for (const name of ['model.bin', 'Größe', '模型', 'a b', '👩‍👩‍👧']) assert.equal(escapeText(name), name);
});

test('a message keeps its backslashes', () => {
  assert.equal(escapeControls('a\\*b\x1b]0;x\x07'), 'a\\*b\\033]0;x\\a');
});

test('an absent field differs from a field that is a hyphen', () => {
  assert.deepEqual([field(undefined), field('-'), field('--'), field(7)], ['-', '\\055', '--', '7']);
});

test('a comma inside a value does not split a list', () => {
  assert.deepEqual([listField([]), listField(['a', 'b,c', '-'])], ['-', 'a,b\\054c,\\055']);
});

test('JSON carries no control character and parses to the same value', () => {
  const text = jsonText({ name: HOSTILE });
  assert.doesNotMatch(text, /[\p{Cc}\u202e\u2028]/u);
  assert.deepEqual(JSON.parse(text), { name: HOSTILE });
});

test('a word for the shell is quoted only when it must be', () => {
  for (const word of ['/tmp/a.sock', 'a b', "it's", '$HOME;x', 'tab\there', '']) {
    const printed = execFileSync('bash', ['-c', `printf %s ${shellWord(word)}`]).toString();
    assert.equal(printed, word);
  }
  assert.equal(shellWord('/run/user/0/broker.sock'), '/run/user/0/broker.sock');
});
