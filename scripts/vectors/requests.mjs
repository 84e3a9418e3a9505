/** Requests, the bytes and what they mean. */
import { DIGEST, entry, field, message, u32, u64, utf8 } from './assemble.mjs';

const NAME = 'models/größe-🙂.bin';
const LARGEST = Number.MAX_SAFE_INTEGER;
const LARGEST_U64 = 'ffffffffffff1f00';

export const requests = [
  {
    name: 'hello without a job',
    hex: message(1, 1, [
      field(16, u32(1)),
      field(17, u32(1)),
      field(21, u32(65536)),
      field(22, u32(16777216)),
    ]),
    message: {
      type: 'hello',
      requestId: 1,
      minVersion: 1,
      maxVersion: 1,
      maxPacketBytes: 65536,
      maxMessageBytes: 16777216,
    },
  },
  {
    name: 'hello with a job, from a client that speaks later versions as well',
    hex: message(1, 4294967295, [
      field(16, u32(1)),
      field(17, u32(3)),
      field(19, utf8('job-17')),
      field(21, u32(1024)),
      field(22, u32(1024)),
    ]),
    message: {
      type: 'hello',
      requestId: 4294967295,
      minVersion: 1,
      maxVersion: 3,
      jobId: 'job-17',
      maxPacketBytes: 1024,
      maxMessageBytes: 1024,
    },
  },
  {
    name: 'put with a name',
    hex: message(2, 2, [field(2, u64(4096)), field(3, utf8('hello.bin'))]),
    message: {
      type: 'put',
      requestId: 2,
      size: 4096,
      name: 'hello.bin',
      contentAddressed: false,
      allowed: [],
      metadata: {},
    },
  },
  {
    name: 'put of nothing, without a name',
    hex: message(2, 3, [field(2, u64(0))]),
    message: { type: 'put', requestId: 3, size: 0, contentAddressed: false, allowed: [], metadata: {} },
  },
  {
    name: 'put with everything',
    hex: message(2, 4, [
      field(2, u64(LARGEST)),
      field(3, utf8(NAME)),
      field(12),
      field(4, DIGEST),
      field(5, utf8('job-17')),
      field(6, utf8('job-18')),
      field(6, utf8('job-19')),
      field(11, u32(2147483647)),
      entry('dtype', 'float32'),
      entry('note', ''),
    ]),
    message: {
      type: 'put',
      requestId: 4,
      size: LARGEST,
      name: NAME,
      contentAddressed: true,
      digest: DIGEST,
      owner: 'job-17',
      allowed: ['job-18', 'job-19'],
      ttlMs: 2147483647,
      metadata: { dtype: 'float32', note: '' },
    },
  },
  {
    name: 'get by id',
    hex: message(3, 5, [field(1, LARGEST_U64)]),
    message: { type: 'get', requestId: 5, selector: { by: 'id', id: LARGEST }, wait: false },
  },
  {
    name: 'get by name, waiting for it',
    hex: message(3, 6, [field(3, utf8('hello.bin')), field(30)]),
    message: { type: 'get', requestId: 6, selector: { by: 'name', name: 'hello.bin' }, wait: true },
  },
  {
    name: 'get by digest',
    hex: message(3, 7, [field(4, DIGEST)]),
    message: { type: 'get', requestId: 7, selector: { by: 'digest', digest: DIGEST }, wait: false },
  },
  {
    name: 'stat that asks for the digest',
    hex: message(4, 8, [field(1, u64(1)), field(31)]),
    message: { type: 'stat', requestId: 8, selector: { by: 'id', id: 1 }, digest: true },
  },
  {
    name: 'stat by name',
    hex: message(4, 9, [field(3, utf8('a'))]),
    message: { type: 'stat', requestId: 9, selector: { by: 'name', name: 'a' }, digest: false },
  },
  {
    name: 'drop by name',
    hex: message(5, 10, [field(3, utf8('hello.bin'))]),
    message: { type: 'drop', requestId: 10, selector: { by: 'name', name: 'hello.bin' } },
  },
  {
    name: 'list from the beginning',
    hex: message(6, 11, [field(36, u64(0)), field(37, u32(1000))]),
    message: { type: 'list', requestId: 11, after: 0, limit: 1000, digests: false },
  },
  {
    name: 'list a pattern from a cursor, with digests',
    hex: message(6, 12, [field(32, utf8('models/*')), field(36, u64(7)), field(37, u32(1)), field(31)]),
    message: { type: 'list', requestId: 12, pattern: 'models/*', after: 7, limit: 1, digests: true },
  },
  {
    name: 'watch a pattern',
    hex: message(7, 13, [field(32, utf8('frames/*'))]),
    message: {
      type: 'watch',
      requestId: 13,
      pattern: 'frames/*',
      literal: false,
      every: false,
      existing: false,
    },
  },
  {
    name: 'watch a name that holds a star, every version, with what is there',
    hex: message(7, 14, [field(32, utf8('a*')), field(33), field(34), field(35)]),
    message: { type: 'watch', requestId: 14, pattern: 'a*', literal: true, every: true, existing: true },
  },
  {
    name: 'next',
    hex: message(8, 15, [field(39, u32(13))]),
    message: { type: 'next', requestId: 15, watch: 13 },
  },
  {
    name: 'cancel',
    hex: message(9, 16, [field(40, u32(13))]),
    message: { type: 'cancel', requestId: 16, target: 13 },
  },
  {
    name: 'status',
    hex: message(10, 17),
    message: { type: 'status', requestId: 17 },
  },
];
