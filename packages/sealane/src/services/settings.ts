/**
 * The settings of a publish-subscribe service: what each means, its default, its limits, and the memory it costs; and the layout
 * of a pool that follows from them. Pure. Trusts no settings that come from a file: another program of the user wrote it.
 */
import { constants } from 'node:buffer';
import { checkOptions } from '../base/check.js';
import { describe, invalidArgument, SealaneError } from '../base/errors.js';
import { SLOT_HEADER_BYTES } from '../shm/layout.js';
import { MAX_SLOTS } from '../shm/outcome.js';
import { protocolError } from '../wire/index.js';

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
}

/** Newest sample only: a publisher never waits, and a subscriber that comes late gets the last one. */
export const latest = Object.freeze({ bufferSize: 1, history: 1, overflow: true } as const);

/** A cache line; no two slots share one, whatever the alignment. */
const CACHE_LINE_BYTES = 64;

type NumberName = Exclude<keyof ServiceSettings, 'overflow'>;

interface Range {
  readonly name: NumberName;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}

const range = (name: NumberName, initial: number, min: number, max: number): Range => ({
  name,
  initial,
  min,
  max,
});

const RANGES: readonly Range[] = [
  range('maxBytes', 65_536, 1, 4_294_967_296),
  range('alignment', 64, 8, 4_096),
  range('userHeaderBytes', 0, 0, 4_096),
  range('maxPublishers', 8, 1, 256),
  range('maxSubscribers', 8, 1, 256),
  range('maxNodes', 128, 1, 4_096),
  range('bufferSize', 4, 1, 65_536),
  range('history', 0, 0, 65_536),
  range('maxBorrowed', 4, 1, 65_536),
  range('maxLoaned', 2, 1, 65_536),
];

/** All settings, in the order of the documentation. */
export const SETTING_NAMES: readonly (keyof ServiceSettings)[] = [
  ...RANGES.map(({ name }) => name),
  'overflow',
];

/** Where a user header of its size must be equal: what it means is agreed on, not how much there is of it. */
const MUST_BE_EQUAL: ReadonlySet<keyof ServiceSettings> = new Set(['userHeaderBytes', 'overflow']);

/**
 * The settings of a service that is to be made: what is given, and the defaults. Throws ERR_SEALANE_INVALID_ARGUMENT for a setting
 * that is unknown or outside its limits, and for a pool of too many slots or bytes, naming the settings to lower.
 */
export function completeSettings(given: Partial<ServiceSettings> = {}): ServiceSettings {
  const stated = checkSettings(given);
  const settings = {
    ...Object.fromEntries(RANGES.map(({ name, initial }) => [name, initial])),
    overflow: true,
    ...stated,
  };
  const complete = Object.freeze(settings as ServiceSettings);
  const problem = poolProblem(complete);
  if (problem !== undefined) throw new SealaneError('ERR_SEALANE_INVALID_ARGUMENT', `settings ${problem}`);
  return complete;
}

/** What is stated in `given`, without what is undefined. Throws ERR_SEALANE_INVALID_ARGUMENT as {@link completeSettings}, but for the pool. */
export function checkSettings(given: Partial<ServiceSettings>): Partial<ServiceSettings> {
  checkOptions('settings', given, SETTING_NAMES);
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  for (const [name, value] of Object.entries(stated)) {
    const must = problemOf(name as keyof ServiceSettings, value);
    if (must !== undefined) throw invalidArgument(`settings.${name}`, must, value);
  }
  return stated;
}

/**
 * Throws ERR_SEALANE_SETTINGS_MISMATCH unless the settings of the existing `service` fit what is required: the message names the
 * first that does not, and both values.
 */
export function requireSettings(
  service: string,
  existing: ServiceSettings,
  required: Partial<ServiceSettings>,
): void {
  for (const name of SETTING_NAMES) {
    const wanted = required[name];
    if (wanted === undefined || fits(name, existing[name], wanted)) continue;
    const demand = MUST_BE_EQUAL.has(name) ? `${wanted}` : `at least ${wanted}`;
    throw new SealaneError(
      'ERR_SEALANE_SETTINGS_MISMATCH',
      `the service ${describe(service)} has ${name} ${existing[name]}, and ${demand} is required: ` +
        'require what it has, or let its creator define it so once every node has closed it',
    );
  }
}

function fits(name: keyof ServiceSettings, existing: number | boolean, wanted: number | boolean): boolean {
  return MUST_BE_EQUAL.has(name) ? existing === wanted : existing >= wanted;
}

/**
 * The settings in a file that another program wrote. Throws ERR_SEALANE_PROTOCOL unless all of them are there, and each within its
 * limits. Whether this process can hold such a pool is asked later: {@link requirePool}.
 */
export function parseSettings(value: Readonly<Record<string, unknown>>): ServiceSettings {
  const settings: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const problem = problemOf(name, value[name]);
    if (problem !== undefined)
      throw protocolError(`the setting ${name} must ${problem}; it is ${describe(value[name])}`);
    settings[name] = value[name];
  }
  const parsed = Object.freeze(settings as unknown as ServiceSettings);
  if (slotCount(parsed) > MAX_SLOTS) throw protocolError(`the settings ${slotsProblem(parsed)}`);
  return parsed;
}

/** Throws ERR_SEALANE_LIMIT_EXCEEDED when this Node.js can't hold a pool of a service that exists. */
export function requirePool(service: string, settings: ServiceSettings): void {
  const problem = poolProblem(settings);
  if (problem === undefined) return;
  const message = `the settings of the service ${describe(service)} ${problem}`;
  throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
}

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

/** Completes the sentence "the setting must ..."; undefined when the value is within its limits. */
function problemOf(name: keyof ServiceSettings, value: unknown): string | undefined {
  if (name === 'overflow') return typeof value === 'boolean' ? undefined : 'be true or false';
  const limits = RANGES.find((candidate) => candidate.name === name);
  if (limits === undefined) return 'be known';
  const { min, max } = limits;
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
    return `be an integer from ${min} to ${max}`;
  if (name === 'alignment' && !Number.isInteger(Math.log2(value as number))) return 'be a power of two';
  return undefined;
}

/** What is wrong with the pool of these settings, after "the settings"; undefined when nothing is. */
function poolProblem(settings: ServiceSettings): string | undefined {
  if (slotCount(settings) > MAX_SLOTS) return slotsProblem(settings);
  const bytes = poolBytes(settings);
  if (bytes <= constants.MAX_LENGTH) return undefined;
  return (
    `need a pool of ${bytes} bytes (${slotCount(settings)} slots of ${slotStride(settings)}), and Node.js ${process.versions.node} holds ` +
    `at most ${constants.MAX_LENGTH} in one ArrayBuffer: lower maxBytes (${settings.maxBytes}) or ${largestShare(settings)}`
  );
}

function slotsProblem(settings: ServiceSettings): string {
  return `need ${slotCount(settings)} slots, and a pool has at most ${MAX_SLOTS}: lower ${largestShare(settings)}`;
}

/** The setting that lies behind the most slots, with its value. */
function largestShare(settings: ServiceSettings): string {
  const { maxSubscribers, bufferSize, maxBorrowed, history, maxLoaned } = settings;
  const shared = maxSubscribers * (bufferSize + maxBorrowed);
  const names: NumberName[] =
    shared >= Math.max(history, maxLoaned)
      ? ['maxSubscribers', 'bufferSize', 'maxBorrowed']
      : ['history', 'maxLoaned'];
  const name = names.reduce((most, other) => (settings[other] > settings[most] ? other : most));
  return `${name} (${settings[name]})`;
}
