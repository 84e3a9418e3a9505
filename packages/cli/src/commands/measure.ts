/** `sealane service hz` and `bw`: how many samples and bytes a second a service carries, for each publisher, as long as it is wanted. */
import type { Sample } from 'sealane';
import type { Figures, Measurement, PublisherFigures, Spread } from '../messaging/figures.js';
import { Meter } from '../messaging/figures.js';
import { receiveAll, type SubscriptionOptions, withSubscription } from '../messaging/receiving.js';
import { LiveLines } from '../terminal/live.js';
import { type Column, renderTable } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatDuration, formatRate } from '../terminal/units.js';

export interface MeasureOptions extends SubscriptionOptions {
  count?: number;
  /** Milliseconds. */
  interval?: number;
}

/** How a measurement is shown. */
interface Presentation {
  readonly verb: string;
  readonly columns: readonly Column[];
  row(figures: Figures, seconds: number): string[];
  line(figures: Figures, seconds: number): string[];
  json(figures: Figures, seconds: number): Record<string, unknown>;
}

const DEFAULT_INTERVAL_MS = 1_000;
const right = (title: string): Column => ({ title, align: 'right' });

const HZ: Presentation = {
  verb: 'hz',
  columns: [right('RATE'), right('MIN'), right('MEAN'), right('MAX'), right('STDDEV'), right('MISSED')],
  row: (figures, seconds) => [
    `${rate(figures, seconds).toFixed(1)} Hz`,
    ...spreadCells(figures.intervalUs, (us) => formatDuration(us / 1_000)),
    String(figures.missed),
  ],
  line: (figures, seconds) => [
    `hz=${rate(figures, seconds).toFixed(3)}`,
    ...spreadFields(figures.intervalUs, '_us'),
    `missed=${figures.missed}`,
  ],
  json: ({ samples, missed, intervalUs }, seconds) => ({
    ...{ hz: rate({ samples, missed }, seconds), samples, missed, intervalUs: intervalUs ?? null },
  }),
};

const BW: Presentation = {
  verb: 'bw',
  columns: [
    right('BANDWIDTH'),
    right('RATE'),
    right('MIN'),
    right('MEAN'),
    right('MAX'),
    right('STDDEV'),
    right('MISSED'),
  ],
  row: (figures, seconds) => [
    formatRate(figures.bytes, seconds * 1_000),
    `${rate(figures, seconds).toFixed(1)} Hz`,
    ...spreadCells(figures.sampleBytes, formatBytes),
    String(figures.missed),
  ],
  line: (figures, seconds) => [
    `bytes_per_second=${Math.round(figures.bytes / seconds)}`,
    `hz=${rate(figures, seconds).toFixed(3)}`,
    ...spreadFields(figures.sampleBytes, '_bytes'),
    `missed=${figures.missed}`,
  ],
  json: ({ samples, missed, bytes, sampleBytes }, seconds) => ({
    ...{ bytesPerSecond: bytes / seconds, bytes, samples, missed, sampleBytes: sampleBytes ?? null },
  }),
};

/** Shows samples a second and the times between them. */
export async function runHz(name: string, options: MeasureOptions, terminal: Terminal): Promise<void> {
  await measure(name, options, terminal, HZ);
}

/** Shows bytes a second, of those that were received. */
export async function runBw(name: string, options: MeasureOptions, terminal: Terminal): Promise<void> {
  await measure(name, options, terminal, BW);
}

async function measure(
  name: string,
  options: MeasureOptions,
  terminal: Terminal,
  presentation: Presentation,
): Promise<void> {
  await withSubscription(presentation.verb, name, options, async (subscription) => {
    const meter = new Meter();
    const enough = new AbortController();
    const signal = AbortSignal.any([subscription.signal, enough.signal]);
    const show = printer(name, terminal, presentation);
    let left = options.count ?? Number.POSITIVE_INFINITY;
    let fromMs = performance.now();
    const timer = setInterval(() => {
      const nowMs = performance.now();
      show(meter.take((nowMs - fromMs) / 1_000));
      fromMs = nowMs;
      left -= 1;
      if (left <= 0) enough.abort();
    }, options.interval ?? DEFAULT_INTERVAL_MS);
    try {
      await receiveAll({ ...subscription, signal }, {}, (sample) => {
        meter.add(described(sample));
        return enough.signal.aborted;
      });
    } catch (error) {
      if (!enough.signal.aborted || subscription.signal.aborted) throw error;
    } finally {
      clearInterval(timer);
    }
  });
}

/** The payload itself is not looked at. */
function described({ header, bytes, missed }: Sample) {
  const { node, publisher, pid, timestampNs } = header;
  const timeNs = timestampNs === 0n ? process.hrtime.bigint() : timestampNs;
  return { node, publisher, pid, bytes: bytes.length, missed, timeNs };
}

function printer(
  name: string,
  terminal: Terminal,
  presentation: Presentation,
): (measurement: Measurement) => void {
  if (terminal.json) return (measurement) => terminal.writeJson(toJson(name, measurement, presentation));
  if (!terminal.out.terminal) return (measurement) => terminal.out.line(toLine(measurement, presentation));
  const live = new LiveLines(terminal.out);
  return (measurement) => live.draw(toTable(measurement, presentation, terminal));
}

function toJson(service: string, measurement: Measurement, { json }: Presentation): Record<string, unknown> {
  const { seconds, publishers } = measurement;
  return {
    ...{ service, seconds, ...json(measurement, seconds) },
    publishers: publishers.map((figures) => {
      const { node, publisher, pid } = figures;
      return { node, publisher, pid, ...json(figures, seconds) };
    }),
  };
}

function toLine(measurement: Measurement, { line }: Presentation): string {
  const { seconds, publishers } = measurement;
  return [...line(measurement, seconds), `publishers=${publishers.length}`].join('\t');
}

function toTable(measurement: Measurement, { columns, row }: Presentation, { out }: Terminal): string[] {
  const { seconds, publishers } = measurement;
  const rows = publishers.map((figures) => [label(figures), ...row(figures, seconds)]);
  const total = ['all', ...row(measurement, seconds)];
  const all = rows.length === 1 ? rows : [...rows, total];
  return renderTable([{ title: 'PUBLISHER', flexible: true }, ...columns], all, out.layout);
}

function label({ node, publisher, pid }: PublisherFigures): string {
  return `${node.slice(0, 8)}:${publisher} (${pid})`;
}

/** Samples that were sent a second, as far as their numbers tell. */
function rate({ samples, missed }: Pick<Figures, 'samples' | 'missed'>, seconds: number): number {
  return (samples + missed) / seconds;
}

function spreadCells(spread: Spread | undefined, format: (value: number) => string): string[] {
  if (spread === undefined) return ['-', '-', '-', '-'];
  return [spread.min, spread.mean, spread.max, spread.stddev].map(format);
}

function spreadFields(spread: Spread | undefined, unit: string): string[] {
  const names = ['min', 'mean', 'max', 'stddev'] as const;
  return names.map((name) => `${name}${unit}=${spread === undefined ? '-' : oneDigit(spread[name])}`);
}

/** Whole numbers, such as counts of bytes, without a digit behind the point. */
function oneDigit(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
