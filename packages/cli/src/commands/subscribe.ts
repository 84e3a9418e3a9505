/** `sealane service subscribe`: the samples of a service, as lines for people, JSON, or the payloads themselves. */
import type { Sample } from 'sealane';
import { usageError } from '../failure.js';
import type { ArrivalLimits } from '../messaging/arrivals.js';
import { preview } from '../messaging/preview.js';
import { receiveAll, type SubscriptionOptions, withSubscription } from '../messaging/receiving.js';
import { room, unlessAborted } from '../messaging/room.js';
import { escapeText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatDuration } from '../terminal/units.js';
import { pad } from '../terminal/width.js';

export interface SubscribeOptions extends SubscriptionOptions, ArrivalLimits {
  raw?: boolean;
  lines?: boolean;
  /** false: `--no-payload`. */
  payload: boolean;
  count?: number;
}

/** Shows one sample; a promise is awaited before the sample is given back. */
type Show = (sample: Sample, signal: AbortSignal) => Promise<void> | undefined;

/** Digits of a node's id that a person needs to tell nodes apart. */
const SHORT_ID = 8;

/** Prints samples until `--count`, `--until-gone` or `--timeout` ends it, or a signal comes. */
export async function runSubscribe(
  name: string,
  options: SubscribeOptions,
  terminal: Terminal,
): Promise<void> {
  const show = showOf(options, terminal);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  await withSubscription('subscribe', name, options, async (subscription) => {
    await receiveAll(subscription, options, (sample) => {
      left -= 1;
      const { signal } = subscription;
      const shown = show(sample, signal) ?? room(terminal, signal);
      return shown === undefined ? left <= 0 : shown.then(() => left <= 0);
    });
  });
}

function showOf({ raw, lines, payload }: SubscribeOptions, terminal: Terminal): Show {
  const asBytes = raw || lines;
  if (asBytes && terminal.json)
    throw usageError('--json and payloads exclude each other', 'leave out --json, or --raw and --lines');
  if (asBytes && !payload) throw usageError('--no-payload leaves nothing to write', 'leave it out');
  if (terminal.json) return (sample) => void terminal.writeJson(toJson(sample, payload));
  if (raw && terminal.out.terminal)
    throw usageError(
      'payloads could garble the terminal',
      'send them to a file or a program, or leave out --raw',
    );
  if (lines && terminal.out.terminal) return (sample) => void terminal.out.line(escapeText(textOf(sample)));
  if (asBytes) return (sample, signal) => writePayload(sample, lines === true, terminal, signal);
  return terminal.out.terminal
    ? (sample) => void terminal.out.line(toTerminalLine(sample, payload, terminal))
    : (sample) => void terminal.out.line(toLine(sample, payload));
}

/** Straight from the publisher's memory: the sample is held until the bytes have left this process. */
function writePayload(
  { bytes }: Sample,
  lineEnd: boolean,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { stdout } = terminal;
  return unlessAborted(terminal, signal, (done) => {
    stdout.write(bytes, lineEnd ? undefined : done);
    if (lineEnd) stdout.write('\n', done);
  });
}

function textOf({ bytes }: Sample): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function toJson({ header, bytes, missed }: Sample, payload: boolean): Record<string, unknown> {
  const { node, publisher, pid, sequence, timestampNs, sourceTimestampNs } = header;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    ...{ node, publisher, pid, sequence, missed, bytes: bytes.length },
    timestampNs: String(timestampNs),
    ...(sourceTimestampNs === 0n ? {} : { sourceTimestampNs: String(sourceTimestampNs) }),
    ageUs: ageUs(timestampNs),
    ...(payload ? { payload: view.toString('base64') } : {}),
  };
}

function toLine({ header, bytes, missed }: Sample, payload: boolean): string {
  const fields = [
    header.sequence,
    `${header.node}:${header.publisher}`,
    bytes.length,
    ageUs(header.timestampNs) ?? '-',
    `missed=${missed}`,
  ];
  return (payload ? [...fields, preview(bytes) || '-'] : fields).join('\t');
}

function toTerminalLine({ header, bytes, missed }: Sample, payload: boolean, { out }: Terminal): string {
  const { style } = out;
  const age = ageUs(header.timestampNs);
  const fields = [
    style.cyan(String(header.sequence).padStart(8)),
    style.dim(`${header.node.slice(0, SHORT_ID)}:${header.publisher}`),
    pad(formatBytes(bytes.length), 9, 'right'),
    style.dim(pad(age === undefined ? '-' : formatDuration(age / 1_000), 8, 'right')),
    ...(missed === 0 ? [] : [style.red(`missed ${missed}`)]),
    ...(payload ? [preview(bytes)] : []),
  ];
  return fields.join('  ');
}

/** Microseconds since it was sent; undefined when its publisher does not say when. */
function ageUs(timestampNs: bigint): number | undefined {
  return timestampNs === 0n ? undefined : Number(process.hrtime.bigint() - timestampNs) / 1_000;
}
