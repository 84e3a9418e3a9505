/** Messages that must be understood although nobody writes them so: fields in another order, and fields of a later version. */
import { entry, field, group, message, response, u32, u64, utf8 } from './assemble.mjs';

const object = { id: 7, size: 1, allowed: [], metadata: {}, createdAtMs: 0, uid: 0 };

export const accepted = [
  {
    name: 'fields in another order',
    of: 'request',
    hex: message(2, 1, [
      entry('b', '2'),
      field(6, utf8('job-18')),
      entry('a', '1'),
      field(3, utf8('x')),
      field(2, u64(9)),
    ]),
    message: {
      type: 'put',
      requestId: 1,
      size: 9,
      name: 'x',
      contentAddressed: false,
      allowed: ['job-18'],
      metadata: { b: '2', a: '1' },
    },
  },
  {
    name: 'unknown fields, one of them twice',
    of: 'request',
    hex: message(10, 1, [field(333, 'c0ffee'), field(65535), field(333, '00')]),
    message: { type: 'status', requestId: 1 },
  },
  {
    name: 'fields that are known elsewhere and mean nothing here, whatever their length',
    of: 'request',
    hex: message(8, 1, [field(2, '01'), field(39, u32(5)), field(3), field(2, '02')]),
    message: { type: 'next', requestId: 1, watch: 5 },
  },
  {
    name: 'an unknown field inside an object',
    of: 'response',
    hex: response(4, 1, [
      group(13, [field(1, u64(7)), field(2, u64(1)), field(99, '00'), field(8, u64(0)), field(10, u32(0))]),
    ]),
    message: { type: 'stat', requestId: 1, object },
  },
  {
    name: 'an error without text',
    of: 'response',
    hex: response(4, 1, [], { status: 13 }),
    message: { type: 'error', requestId: 1, request: 'stat', status: 13, text: '' },
  },
];
