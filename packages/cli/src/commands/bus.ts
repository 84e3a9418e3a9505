/** What the commands that talk to a broker share: connecting, waiting, and how an object is shown. */
import { spawnSync } from 'node:child_process';
import { type BlobInfo, type Bus, type ConnectOptions, connect, isSealaneError } from 'sealane';
import { usageError } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { field, listField } from '../terminal/escape.js';
import type { Column } from '../terminal/table.js';
import { formatAge, formatBytes, formatRemaining } from '../terminal/units.js';

/** Options of every command that connects. */
export interface BusOptions {
  socket?: string | undefined;
  jobId?: string | undefined;
  /** Users whose brokers are trusted, by name or id. */
  trustUser?: readonly string[] | undefined;
}

/** The job that a command acts for, if any: the option, else $SEALANE_JOB_ID, else what memfdbus's programs are told it by. */
export function jobOf({ jobId }: BusOptions): string | undefined {
  return jobId ?? (process.env.SEALANE_JOB_ID || process.env.MEMFDBUS_JOB_ID || undefined);
}

/** Where and for whom a command connects. */
export function toConnectOptions(options: BusOptions): ConnectOptions {
  return { socket: options.socket, jobId: jobOf(options), trustedUsers: trustedUsersOf(options) };
}

/** The users whose brokers are trusted beside one's own and root's: those of the options, else those of $SEALANE_TRUST_USER. */
export function trustedUsersOf({ trustUser }: BusOptions): number[] {
  const users = trustUser ?? (process.env.SEALANE_TRUST_USER || undefined)?.split(',') ?? [];
  return users.map(userId);
}

/** The id of a user who was named, by name or id, on the command line. Throws CommandError when there is none of that name. */
export function userId(user: string): number {
  if (/^\d+$/.test(user)) return Number(user);
  // id(1) asks all places where users may be kept.
  const { status, stdout } = spawnSync('id', ['-u', '--', user], { encoding: 'utf8' });
  if (status === 0) return Number(stdout);
  throw usageError(`there is no user ${user} on this machine`, 'check the name, or give the id of the user');
}

/**
 * Runs `work` with a connected bus, which is closed on every path. SIGINT and SIGTERM abort
 * `interrupt.signal`.
 */
export async function withBus<T>(
  options: BusOptions,
  work: (bus: Bus, interrupt: Interrupt) => Promise<T>,
): Promise<T> {
  using interrupt = new Interrupt();
  await using bus = await connect({ ...toConnectOptions(options), signal: interrupt.signal });
  return await work(bus, interrupt);
}

/** An object as JSON: what the library tells, times as ISO 8601. */
export function toJson(info: BlobInfo): Record<string, unknown> {
  return { ...info, createdAt: info.createdAt.toISOString(), expiresAt: info.expiresAt?.toISOString() };
}

/** An object as one tab-separated line. The fields and their order are those of memfdbus's list. */
export function toLine(info: BlobInfo): string {
  const owner = `owner=${field(info.owner)}`;
  const allowed = `allowed=${listField(info.allowed)}`;
  return [info.id, owner, allowed, info.size, field(info.digest), field(info.name)].join('\t');
}

/** The columns of a table of objects; {@link toRow} makes its rows. */
export const OBJECT_COLUMNS: readonly Column[] = [
  { title: 'ID', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'EXPIRES', align: 'right', optional: true },
  { title: 'OWNER', optional: true },
  { title: 'ALLOWED', optional: true },
  { title: 'DIGEST', optional: true, yields: true },
  { title: 'NAME', flexible: true },
];

/** Hexadecimal digits of a digest that a table shows: enough to tell objects apart; `stat` shows all. */
const TABLE_DIGEST_DIGITS = 12;

/** An object as a row of a table, at the time `nowMs`. */
export function toRow(info: BlobInfo, nowMs: number): string[] {
  return [
    String(info.id),
    formatBytes(info.size),
    formatAge(nowMs - info.createdAt.getTime()),
    info.expiresAt === undefined ? '' : `in ${formatRemaining(info.expiresAt.getTime() - nowMs)}`,
    info.owner === undefined ? '' : field(info.owner),
    info.allowed.length === 0 ? '' : listField(info.allowed),
    info.digest?.slice(0, 'sha256:'.length + TABLE_DIGEST_DIGITS) ?? '',
    field(info.name),
  ];
}

/** Whether a wait ended because its time was over. */
export function endedBy(error: unknown, timeout: AbortSignal | undefined): boolean {
  return timeout?.aborted === true && isSealaneError(error, 'ERR_SEALANE_ABORTED');
}
