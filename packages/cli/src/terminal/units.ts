/** Sizes and times as people read and write them. Pure; knows no option and no terminal. */

const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Powers that a size may end in. A single letter is binary, as in GNU tools; KB, MB ... are decimal. */
const SIZE_FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  ...factorsOf(['k', 'm', 'g', 't'], 1024, ['', 'ib']),
  ...factorsOf(['k', 'm', 'g', 't'], 1000, ['b']),
};

const DURATION_FACTORS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function factorsOf(letters: string[], base: number, endings: string[]): Record<string, number> {
  const entries = letters.flatMap((letter, i) => endings.map((ending) => [letter + ending, base ** (i + 1)]));
  return Object.fromEntries(entries);
}

/**
 * Bytes from `64MiB`, `64M`, `64MB`, `1.5GiB` or `1048576`; undefined when it is none of these or no whole
 * number of bytes.
 */
export function parseSize(text: string): number | undefined {
  return parseScaled(text, SIZE_FACTORS);
}

/**
 * Milliseconds from `500ms`, `10s`, `1.5m`, `2h` or `7d`; undefined otherwise. A bare number has no unit and
 * is refused.
 */
export function parseDuration(text: string): number | undefined {
  return parseScaled(text, DURATION_FACTORS_MS);
}

function parseScaled(text: string, factors: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,20})(?:\.(\d{1,20}))?\s*([a-z]*)$/i.exec(text.trim());
  const [, whole = '', fraction = '', letters = ''] = match ?? [];
  const unit = letters.toLowerCase();
  const factor = Object.hasOwn(factors, unit) ? factors[unit] : undefined;
  if (match === null || factor === undefined) return undefined;
  // Decimal fractions are no binary ones: 1.1 * 1000 is not 1100 in floating point.
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(factor);
  const value = Number(scaled / scale);
  return scaled % scale === 0n && Number.isSafeInteger(value) ? value : undefined;
}

/** Bytes for people: `512 B`, `97.3 MiB`, `1.00 GiB`: three digits. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < BINARY_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 ? String(Math.round(value)) : threeDigits(value);
  return `${bytes < 0 ? '-' : ''}${digits} ${BINARY_UNITS[unit]}`;
}

/** Milliseconds for people: `320 us`, `85.2 ms`, `1.24 s`, `3m 20s`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} us`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 59_500) return `${threeDigits(ms / 1000)} s`;
  return formatLong(Math.round(ms / 1000));
}

function formatLong(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`;
}

/** A whole number of seconds, minutes, hours or days: how old something is. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** What is left of a time, to the next smaller unit: `45s`, `3m 20s`, `1h 59m`, `6d 23h`. */
export function formatRemaining(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds}s` : formatLong(seconds);
}

/** A number of things: `1 object`, `2 objects`. */
export function formatCount(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

/** Bytes per second for people. */
export function formatRate(bytes: number, ms: number): string {
  return ms <= 0 ? '-' : `${formatBytes((bytes / ms) * 1000)}/s`;
}

/** How many times `part` goes into `whole`: `1.2x`, `24x`. */
export function formatRatio(whole: number, part: number): string {
  const ratio = whole / part;
  return `${ratio < 9.95 ? ratio.toFixed(1) : String(Math.round(ratio))}x`;
}

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}
