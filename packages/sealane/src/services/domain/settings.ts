/**
 * The settings of a publish-subscribe service: what each means, its default, its limits, and the memory it costs; and the layout
 * of a pool that follows from them. Pure.
 */
import { constants } from 'node:buffer';
import { SLOT_HEADER_BYTES } from '../../shm/layout.js';
import { MAX_SLOTS } from '../../shm/outcome.js';
import { amount, exact, flag, oneOf, powerOfTwo, SettingsTable } from './settings-table.js';

/**
 * What the creator of a service defines for all its ports. An opener states what it needs: a number must be at most what the
 * service has (`userHeaderBytes` and `overflow` must be equal); what it leaves out fits anything.
 */
export interface ServiceSettings {
  /** Most bytes of one sample. Default 65,536; 1 to 2^32. Each slot of each publisher has room for it; untouched pages cost nothing. */
  readonly maxBytes: number;
  /** What the address of a payload is a multiple of, in bytes. Default 64; a power of two from 8 to 4096. Each slot is rounded up to it. */
  readonly alignment: number;
  /** Bytes that every sample carries beside its payload. Default 0; 0 to 4096. Rounded up to the alignment, once a slot. */
  readonly userHeaderBytes: number;
  /** Most publishers at a time. Default 8; 1 to 256. Each has a pool of its own. */
  readonly maxPublishers: number;
  /** Most subscribers at a time. Default 8; 1 to 256. Each costs bufferSize + maxBorrowed slots in every publisher. */
  readonly maxSubscribers: number;
  /** Most nodes that have the service open at a time. Default 128; 1 to 4096. Costs one empty file each. */
  readonly maxNodes: number;
  /** Samples that may wait in a subscriber. Default 4; 1 to 65,536. That many slots for each subscriber in every publisher. */
  readonly bufferSize: number;
  /** Latest samples that a publisher keeps for subscribers that come later. Default 0; 0 to 65,536. That many slots in every publisher. */
  readonly history: number;
  /** Samples that a subscriber may hold at a time. Default 4; 1 to 65,536. That many slots for each subscriber in every publisher. */
  readonly maxBorrowed: number;
  /** Samples that a publisher may have loaned and not sent. Default 2; 1 to 65,536. That many slots in every publisher. */
  readonly maxLoaned: number;
  /** Whether the oldest sample gives way in a full buffer. Default true; otherwise the publisher's `whenFull` decides. Costs nothing. */
  readonly overflow: boolean;
  /**
   * Which sizes samples have. Default 'bounded': up to `maxBytes`, in slots that have room for it. 'fixed': exactly `maxBytes` each.
   * 'growing': up to `maxBytes`, in slots that are as large as what was sent: a publisher adds larger ones, a segment at a time, while
   * everything runs.
   */
  readonly payload: PayloadKind;
}

/** See {@link ServiceSettings.payload}. */
export type PayloadKind = 'fixed' | 'bounded' | 'growing';

/** Newest sample only: a publisher never waits, and a subscriber that comes late gets the last one. */
export const latest = Object.freeze({ bufferSize: 1, history: 1, overflow: true } as const);

/** A cache line; no two slots share one, whatever the alignment. */
const CACHE_LINE_BYTES = 64;

/** What a publish-subscribe service has. */
export const PUBLISH_SUBSCRIBE_SETTINGS = new SettingsTable<ServiceSettings>(
  {
    maxBytes: amount(65_536, 1, 4_294_967_296),
    alignment: powerOfTwo(64, 8, 4_096),
    userHeaderBytes: exact(amount(0, 0, 4_096)),
    maxPublishers: amount(8, 1, 256),
    maxSubscribers: amount(8, 1, 256),
    maxNodes: amount(128, 1, 4_096),
    bufferSize: amount(4, 1, 65_536),
    history: amount(0, 0, 65_536),
    maxBorrowed: amount(4, 1, 65_536),
    maxLoaned: amount(2, 1, 65_536),
    overflow: flag(true),
    payload: oneOf<PayloadKind>('bounded', ['fixed', 'bounded', 'growing']),
  },
  { problemOf: slotsProblem, problemHere: poolProblem },
);

/** Slots of one publisher's pool: as many as can be waiting, borrowed, kept and loaned at once, so that an honest loan never fails. */
export function slotCount(settings: ServiceSettings): number {
  const { maxSubscribers, bufferSize, maxBorrowed, history, maxLoaned } = settings;
  return maxSubscribers * (bufferSize + maxBorrowed) + history + maxLoaned;
}

/** Where the payload starts in its slot, in bytes. The slot before it holds the header of the sample, then the user header. */
export function payloadOffset(settings: ServiceSettings): number {
  return roundUp(SLOT_HEADER_BYTES + settings.userHeaderBytes, lineBytes(settings));
}

/** Bytes from one slot to the next. */
export function slotStride(settings: ServiceSettings): number {
  return payloadOffset(settings) + roundUp(settings.maxBytes, lineBytes(settings));
}

/** Bytes of one publisher's pool. */
export function poolBytes(settings: ServiceSettings): number {
  return slotCount(settings) * slotStride(settings);
}

function lineBytes({ alignment }: ServiceSettings): number {
  return Math.max(CACHE_LINE_BYTES, alignment);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** A pool that no ArrayBuffer of this Node.js holds. One that grows begins small. */
function poolProblem(settings: ServiceSettings): string | undefined {
  if (settings.payload === 'growing') return undefined;
  const bytes = poolBytes(settings);
  if (bytes <= constants.MAX_LENGTH) return undefined;
  return (
    `need a pool of ${bytes} bytes (${slotCount(settings)} slots of ${slotStride(settings)}), and Node.js ${process.versions.node} holds ` +
    `at most ${constants.MAX_LENGTH} in one ArrayBuffer: lower maxBytes (${settings.maxBytes}) or ${largestShare(settings)}`
  );
}

/** A pool that is none by spec/services.md. */
function slotsProblem(settings: ServiceSettings): string | undefined {
  if (slotCount(settings) <= MAX_SLOTS) return undefined;
  return `need ${slotCount(settings)} slots, and a pool has at most ${MAX_SLOTS}: lower ${largestShare(settings)}`;
}

/** The setting that lies behind the most slots, with its value. */
function largestShare(settings: ServiceSettings): string {
  const { maxSubscribers, bufferSize, maxBorrowed, history, maxLoaned } = settings;
  const shared = maxSubscribers * (bufferSize + maxBorrowed);
  const names: (keyof ServiceSettings)[] =
    shared >= Math.max(history, maxLoaned)
      ? ['maxSubscribers', 'bufferSize', 'maxBorrowed']
      : ['history', 'maxLoaned'];
  const name = names.reduce((most, other) => (settings[other] > settings[most] ? other : most));
  return `${name} (${settings[name]})`;
}
