/** Messages of memfdbus, from the table of spec/memfdbus.md: whole ones with what they say, and bytes that are none. */
import { DIGEST, lengthOf, u16, u32, u64, utf8 } from './assemble.mjs';

const MAGIC = '4244464d';
const DIGEST_TEXT = `sha256:${DIGEST}`;

/** The header as one line: magic, version, command; status, job; id; size; name, text; allowed, reserved. */
function header(command, { version = 1, magic = MAGIC, reserved = 0, ...rest }) {
  const {
    status = 0,
    jobBytes = 0,
    objectId = 0,
    size = 0,
    nameBytes = 0,
    textBytes = 0,
    allowedBytes = 0,
  } = rest;
  return [
    magic,
    u16(version),
    u16(command),
    u32(status),
    u32(jobBytes),
    u64(objectId),
    u64(size),
    u32(nameBytes),
    u32(textBytes),
    u32(allowedBytes),
    u32(reserved),
  ].join(' ');
}

/** `fields`: numbers of the header; `hex`: name, text, job and allowed as digits, of which null in `texts` is no UTF-8. */
function message(name, command, fields, hex = {}, texts = {}, reserved = 0) {
  const { status = 0, objectId = 0n, size = 0n } = fields;
  const parts = [hex.name ?? '', hex.text ?? '', hex.job ?? '', hex.allowed ?? ''];
  const [nameBytes, textBytes, jobBytes, allowedBytes] = parts.map(lengthOf);
  const lengths = { nameBytes, textBytes, jobBytes, allowedBytes, reserved };
  return {
    name,
    hex: [header(command, { ...fields, ...lengths }), ...parts.filter((part) => part !== '')],
    message: {
      command,
      status,
      objectId: String(objectId),
      size: String(size),
      name: '',
      text: '',
      job: '',
      allowed: '',
      ...texts,
    },
  };
}

/** A message whose texts are UTF-8. */
function said(name, command, fields, texts = {}, reserved = 0) {
  const hex = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, utf8(text)]));
  return message(name, command, fields, hex, texts, reserved);
}

const put = { name: 'model', text: DIGEST_TEXT };

export const memfdbus = [
  said('a put', 1, { size: 5n }, put),
  said('a put for a job that allows another', 1, { size: 5n }, { ...put, job: 'trainer', allowed: 'server' }),
  said('a put of the largest size', 1, { size: 2n ** 64n - 1n }, put),
  said('a get by name', 2, {}, { name: 'm\u00f6del \u{1f40b}', job: 'server' }),
  said('a get by the largest id', 2, { objectId: 2n ** 64n - 1n }),
  said('a list', 3, {}),
  said('a list of a job', 3, {}, { job: 'server' }),
  said('a drop by id', 4, { objectId: 7n }, { job: 'trainer' }),
  said('a name with tab, line end, zero and backslash', 2, {}, { name: 'a\tb\n\0\\' }),
  message('a name that is no UTF-8', 2, {}, { name: '61ff' }, { name: null }),
  said('the answer to a put', 1, { objectId: 7n, size: 5n }),
  said('the answer to a get', 2, { objectId: 7n, size: 5n }, put),
  said(
    'the answer to a list',
    3,
    {},
    { text: `7\towner=trainer\tallowed=server\t5\t${DIGEST_TEXT}\tmodel\n` },
  ),
  said('an empty list', 3, {}),
  said('the answer to a drop', 4, { objectId: 7n, size: 5n }),
  said('an error', 1, { status: 1 }, { text: 'broker object quota exceeded' }),
  said('not found', 2, { status: 2 }, { text: 'object not found' }),
  said('a bad request that could not be read', 0, { status: 3 }, { text: 'invalid protocol header' }),
  said('forbidden', 4, { status: 4 }, { text: 'access denied' }),
  said('an unknown command', 65535, {}),
  said('a reserved word that is not 0', 3, {}, {}, 1),
];

const refuse = (name, hex, reason) => ({ name, hex, reason });

export const memfdbusRefused = [
  refuse('nothing', [], 'a header has 48 bytes'),
  refuse('a header cut short', [header(3, {}).slice(0, -2)], 'a header has 48 bytes'),
  refuse('another magic', [header(3, { magic: '4344464d' })], 'the magic is 0x4d464442'),
  refuse('the magic in the other order', [header(3, { magic: '4d464442' })], 'integers are little-endian'),
  refuse('version 0', [header(3, { version: 0 })], 'the version is 1'),
  refuse('version 2', [header(3, { version: 2 })], 'the version is 1'),
  refuse(
    'a name cut short',
    [header(2, { nameBytes: 2 }), '61'],
    'the payload has the bytes that the header states',
  ),
  refuse(
    'no payload where 2^32-1 bytes are stated four times',
    [
      header(1, {
        nameBytes: 4294967295,
        textBytes: 4294967295,
        jobBytes: 4294967295,
        allowedBytes: 4294967295,
      }),
    ],
    'the payload has the bytes that the header states',
  ),
  refuse(
    'a byte behind the payload',
    [header(2, { nameBytes: 1 }), '61', '62'],
    'the payload has the bytes that the header states',
  ),
];
