/** Arbitrary messages for property tests: every value that the protocol allows, and its ends more often than the rest. */
import fc from 'fast-check';
import { MAX_TTL_MS } from '../base/limits.js';
import {
  type BrokerLimits,
  type ErrorStatus,
  MIN_PACKET_BYTES,
  type ObjectInfo,
  REQUEST_TYPES,
  type Request,
  type RequestType,
  type Response,
  type Selector,
  STATUS,
} from './index.js';

const MAX_U32 = 0xffff_ffff;

/** Well-formed text; 60 characters have at most 240 bytes, which fit every field. */
const text = (minLength: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', minLength, maxLength: 60 }),
    fc.string({ unit: 'binary-ascii', minLength, maxLength: 70 }),
    fc.constantFrom('\ufeff', '__proto__', 'constructor', '0', '\0', '\u{10ffff}', 'ß'),
  );
const name = fc.oneof(
  { weight: 9, arbitrary: text(1) },
  { weight: 1, arbitrary: fc.constantFrom('a'.repeat(65_536), 'é'.repeat(32_768)) },
);
const u32 = (min = 0) => fc.oneof(fc.integer({ min, max: MAX_U32 }), fc.constantFrom(min, MAX_U32));
const u64 = (min = 0) =>
  fc.oneof(
    fc.maxSafeNat().map((value) => Math.max(min, value)),
    fc.constantFrom(min, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  );
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const jobs = fc.array(text(1), { maxLength: 5 });
const requestId = u32(1);

const metadata = fc
  .uniqueArray(fc.tuple(text(1), text(0)), { selector: ([key]) => key, maxLength: 8 })
  .map((entries) => {
    const object = Object.create(null) as Record<string, string>;
    for (const [key, value] of entries) object[key] = value;
    return object;
  });

const selectorByName = name.map((value): Selector => ({ by: 'name', name: value }));
const selector: fc.Arbitrary<Selector> = fc.oneof(
  u64(1).map((id): Selector => ({ by: 'id', id })),
  selectorByName,
  digest.map((value): Selector => ({ by: 'digest', digest: value })),
);

/** A record with all of its keys, with the prototype of ordinary objects. */
const whole = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const type = <T extends string>(value: T) => fc.constant(value);
const flag = fc.boolean();
const packet = u32(MIN_PACKET_BYTES);

const hello = fc
  .record(
    {
      type: type('hello'),
      requestId,
      minVersion: u32(1),
      maxVersion: u32(1),
      jobId: text(1),
      maxPacketBytes: packet,
      maxMessageBytes: packet,
    },
    {
      noNullPrototype: true,
      requiredKeys: ['type', 'requestId', 'minVersion', 'maxVersion', 'maxPacketBytes', 'maxMessageBytes'],
    },
  )
  .filter(({ minVersion, maxVersion }) => minVersion <= maxVersion);

const put = fc.record(
  {
    type: type('put'),
    requestId,
    size: u64(),
    name,
    contentAddressed: flag,
    digest,
    owner: text(1),
    allowed: jobs,
    ttlMs: fc.integer({ min: 1, max: MAX_TTL_MS }),
    metadata,
  },
  {
    noNullPrototype: true,
    requiredKeys: ['type', 'requestId', 'size', 'contentAddressed', 'allowed', 'metadata'],
  },
);

const get = fc.oneof(
  whole({ type: type('get'), requestId, selector, wait: fc.constant(false) }),
  whole({ type: type('get'), requestId, selector: selectorByName, wait: fc.constant(true) }),
);

const list = fc.record(
  { type: type('list'), requestId, pattern: text(1), after: u64(), limit: u32(1), digests: flag },
  { noNullPrototype: true, requiredKeys: ['type', 'requestId', 'after', 'limit', 'digests'] },
);

const watch = fc.oneof(
  whole({
    type: type('watch'),
    requestId,
    pattern: text(1),
    literal: fc.constant(false),
    every: flag,
    existing: flag,
  }),
  whole({
    type: type('watch'),
    requestId,
    pattern: name,
    literal: fc.constant(true),
    every: flag,
    existing: flag,
  }),
);

/** Any request. */
export const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  hello,
  put,
  get,
  whole({ type: type('stat'), requestId, selector, digest: flag }),
  whole({ type: type('drop'), requestId, selector }),
  list,
  watch,
  whole({ type: type('next'), requestId, watch: u32(1) }),
  whole({ type: type('cancel'), requestId, target: u32(1) }),
  whole({ type: type('status'), requestId }),
);

const object: fc.Arbitrary<ObjectInfo> = fc.record(
  {
    id: u64(1),
    size: u64(),
    name,
    digest,
    owner: text(1),
    allowed: jobs,
    metadata,
    createdAtMs: u64(),
    expiresAtMs: u64(),
    uid: u32(),
  },
  { noNullPrototype: true, requiredKeys: ['id', 'size', 'allowed', 'metadata', 'createdAtMs', 'uid'] },
);

const limits: fc.Arbitrary<BrokerLimits> = whole({
  maxPacketBytes: packet,
  maxMessageBytes: packet,
  maxNameBytes: u32(1),
  maxObjects: u64(),
  maxBytes: u64(),
  maxObjectBytes: u64(),
  maxOutstanding: u32(1),
  maxWatches: u32(),
  maxListEntries: u32(1),
});

const error = whole({
  type: type('error'),
  requestId,
  request: fc.constantFrom(...(Object.keys(REQUEST_TYPES) as RequestType[])),
  status: fc.constantFrom(
    ...(Object.values(STATUS).filter((status) => status !== STATUS.ok) as ErrorStatus[]),
  ),
  text: text(0),
});

const status = whole({
  type: type('status'),
  requestId,
  objects: u64(),
  bytes: u64(),
  connections: u32(),
  watches: u32(),
  uptimeMs: u64(),
  pid: u32(1),
  version: text(0),
  limits,
});

/** Any response. */
export const anyResponse: fc.Arbitrary<Response> = fc.oneof(
  error,
  whole({ type: type('hello'), requestId, version: u32(1), brokerPid: u32(1), limits }),
  whole({ type: fc.constantFrom('put', 'get', 'stat', 'next', 'drop'), requestId, object }),
  whole({ type: type('list'), requestId, objects: fc.array(object, { maxLength: 3 }), next: u64() }),
  whole({ type: fc.constantFrom('watch', 'cancel'), requestId }),
  status,
);
