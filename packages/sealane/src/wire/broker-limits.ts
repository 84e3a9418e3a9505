/** A broker's limits as a group of fields. Owns their widths and least values. Trusts nothing that is decoded. */
import type { FieldReader } from './field-reader.js';
import type { FieldWriter } from './field-writer.js';
import type { BrokerLimits } from './messages.js';
import type { Mutable } from './mutable.js';
import { MIN_PACKET_BYTES, TAGS } from './numbers.js';

/** In the order in which they are written. */
const LIMITS: readonly { readonly name: keyof BrokerLimits; readonly bits: 32 | 64; readonly min: number }[] =
  [
    { name: 'maxPacketBytes', bits: 32, min: MIN_PACKET_BYTES },
    { name: 'maxMessageBytes', bits: 32, min: MIN_PACKET_BYTES },
    { name: 'maxNameBytes', bits: 32, min: 1 },
    { name: 'maxObjects', bits: 64, min: 0 },
    { name: 'maxBytes', bits: 64, min: 0 },
    { name: 'maxObjectBytes', bits: 64, min: 0 },
    { name: 'maxOutstanding', bits: 32, min: 1 },
    { name: 'maxWatches', bits: 32, min: 0 },
    { name: 'maxListEntries', bits: 32, min: 1 },
  ];

/** Writes a limits field. Throws ERR_SEALANE_INVALID_ARGUMENT for a value outside its range. */
export function writeLimits(writer: FieldWriter, limits: BrokerLimits): void {
  const group = writer.beginGroup(TAGS.limits);
  for (const { name, bits, min } of LIMITS) {
    if (bits === 32) writer.u32(TAGS[name], limits[name], min);
    else writer.u64(TAGS[name], limits[name], min);
  }
  writer.endGroup(group);
}

/** Reads the fields of a limits field; throws ERR_SEALANE_PROTOCOL unless all are there, once and in range. */
export function readLimits(reader: FieldReader): BrokerLimits {
  const limits: Mutable<BrokerLimits> = {
    maxPacketBytes: 0,
    maxMessageBytes: 0,
    maxNameBytes: 0,
    maxObjects: 0,
    maxBytes: 0,
    maxObjectBytes: 0,
    maxOutstanding: 0,
    maxWatches: 0,
    maxListEntries: 0,
  };
  while (reader.next()) {
    const limit = LIMITS.find(({ name }) => TAGS[name] === reader.tag);
    if (limit !== undefined)
      limits[limit.name] = limit.bits === 32 ? reader.u32(limit.min) : reader.u64(limit.min);
  }
  for (const { name } of LIMITS) reader.require(TAGS[name]);
  return limits;
}
