/** The document against the code: the numbers in its tables are those of the codec, and its examples can be decoded. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeHeader,
  decodeRequest,
  decodeResponse,
  REQUEST_TYPES,
  RESPONSE_BIT,
  STATUS,
  TAGS,
} from './index.js';
import { bytesOf, ROOT } from './vectors.test.helper.js';

const DOCUMENT = readFileSync(new URL('spec/blobs.md', ROOT), 'utf8');

/** The rows of the first table under a heading that begin with a number and a name. */
function numbersUnder(heading: string): Record<string, number> {
  const [, section = ''] = DOCUMENT.split(`\n### ${heading}\n`);
  const [text = ''] = section.split('\n##');
  const rows = [...text.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)];
  return Object.fromEntries(rows.map(([, number, name]) => [name, Number(number)]));
}

const EXAMPLES = [...DOCUMENT.matchAll(/```hex\n(.*?)```/gs)].map(([, block = '']) =>
  bytesOf(block.split('\n').map((line) => line.replace(/#.*/, ''))),
);

test('the document numbers types, tags and status as the codec does', () => {
  assert.deepEqual(numbersUnder('Types'), { ...REQUEST_TYPES });
  assert.deepEqual(numbersUnder('Tags'), { ...TAGS });
  assert.deepEqual(numbersUnder('Status'), { ...STATUS });
});

test('the examples of the document are messages', () => {
  const kinds = EXAMPLES.map((message) => {
    const { type, detached } = decodeHeader(message);
    if (detached) return 'detached';
    return (type & RESPONSE_BIT) === 0
      ? decodeRequest(message).type
      : `${decodeResponse(message).type} response`;
  });
  assert.deepEqual(kinds, [
    'hello',
    'hello response',
    'put',
    'put response',
    'get',
    'error response',
    'detached',
  ]);
});
