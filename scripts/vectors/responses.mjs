/** Responses, the bytes and what they mean. */
import { DIGEST, entry, field, group, response, u32, u64, utf8 } from './assemble.mjs';

const limitsHex = group(14, [
  field(21, u32(65536)),
  field(22, u32(1048576)),
  field(23, u32(65536)),
  field(24, u64(15000)),
  field(25, u64(33554432000)),
  field(26, u64(33554432000)),
  field(27, u32(64)),
  field(28, u32(64)),
  field(29, u32(1000)),
]);

const limits = {
  maxPacketBytes: 65536,
  maxMessageBytes: 1048576,
  maxNameBytes: 65536,
  maxObjects: 15000,
  maxBytes: 33554432000,
  maxObjectBytes: 33554432000,
  maxOutstanding: 64,
  maxWatches: 64,
  maxListEntries: 1000,
};

const smallHex = group(13, [
  field(1, u64(7)),
  field(2, u64(4096)),
  field(3, utf8('hello.bin')),
  field(8, u64(1763700000000)),
  field(10, u32(1000)),
]);

const small = {
  id: 7,
  size: 4096,
  name: 'hello.bin',
  allowed: [],
  metadata: {},
  createdAtMs: 1763700000000,
  uid: 1000,
};

const fullHex = group(13, [
  field(1, u64(8)),
  field(2, u64(5)),
  field(3, utf8(`sha256:${DIGEST}`)),
  field(4, DIGEST),
  field(5, utf8('job-17')),
  field(6, utf8('job-18')),
  entry('dtype', 'float32'),
  entry('größe', '🙂'),
  field(8, u64(1763700000000)),
  field(9, u64(1763700060000)),
  field(10, u32(0)),
]);

const full = {
  id: 8,
  size: 5,
  name: `sha256:${DIGEST}`,
  digest: DIGEST,
  owner: 'job-17',
  allowed: ['job-18'],
  metadata: { dtype: 'float32', größe: '🙂' },
  createdAtMs: 1763700000000,
  expiresAtMs: 1763700060000,
  uid: 0,
};

const objectResponse = (type, number, requestId) => ({
  name: type,
  hex: response(number, requestId, [smallHex]),
  message: { type, requestId, object: small },
});

export const responses = [
  {
    name: 'hello',
    hex: response(1, 1, [field(18, u32(1)), field(20, u32(4242)), limitsHex]),
    message: { type: 'hello', requestId: 1, version: 1, brokerPid: 4242, limits },
  },
  objectResponse('put', 2, 2),
  objectResponse('get', 3, 3),
  objectResponse('stat', 4, 4),
  objectResponse('drop', 5, 5),
  objectResponse('next', 8, 6),
  {
    name: 'put of an object with everything',
    hex: response(2, 4294967295, [fullHex]),
    message: { type: 'put', requestId: 4294967295, object: full },
  },
  {
    name: 'list of two objects, with more to come',
    hex: response(6, 7, [smallHex, fullHex, field(38, u64(8))]),
    message: { type: 'list', requestId: 7, objects: [small, full], next: 8 },
  },
  {
    name: 'list of nothing, at the end',
    hex: response(6, 8, [field(38, u64(0))]),
    message: { type: 'list', requestId: 8, objects: [], next: 0 },
  },
  { name: 'watch', hex: response(7, 9), message: { type: 'watch', requestId: 9 } },
  { name: 'cancel', hex: response(9, 10), message: { type: 'cancel', requestId: 10 } },
  {
    name: 'status',
    hex: response(10, 11, [
      field(41, u64(2)),
      field(42, u64(4101)),
      field(43, u32(3)),
      field(44, u32(1)),
      field(45, u64(86400000)),
      field(20, u32(4242)),
      field(46, utf8('0.1.0')),
      limitsHex,
    ]),
    message: {
      type: 'status',
      requestId: 11,
      objects: 2,
      bytes: 4101,
      connections: 3,
      watches: 1,
      uptimeMs: 86400000,
      pid: 4242,
      version: '0.1.0',
      limits,
    },
  },
  {
    name: 'error that answers a get',
    hex: response(3, 12, [field(15, utf8('there is no object named "größe"'))], { status: 2 }),
    message: {
      type: 'error',
      requestId: 12,
      request: 'get',
      status: 2,
      text: 'there is no object named "größe"',
    },
  },
  {
    name: 'error that answers the next of a watch that was overrun',
    hex: response(8, 13, [field(15)], { status: 11 }),
    message: { type: 'error', requestId: 13, request: 'next', status: 11, text: '' },
  },
];
