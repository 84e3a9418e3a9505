/** `sealane service publish`: standard input or a file as samples of a service. Owns its publisher for as long as it runs. */
import {
  type FullAction,
  type Loan,
  latest,
  type Publisher,
  type ServiceOptions,
  type ServiceSettings,
} from 'sealane';
import { usageError } from '../failure.js';
import type { Interrupt } from '../interrupt.js';
import { type AllowOptions, accessOf } from '../messaging/account.js';
import { type Input, openInput } from '../messaging/input.js';
import { Pace } from '../messaging/pace.js';
import { type DomainOptions, withNode } from '../messaging/participate.js';
import { type PeerWait, waitForPeers } from '../messaging/peers.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatCount } from '../terminal/units.js';

/** Options of which the library knows the meaning. */
const SETTINGS = [
  ...(['maxBytes', 'alignment', 'maxPublishers', 'maxSubscribers', 'maxNodes'] as const),
  ...(['bufferSize', 'history', 'maxBorrowed', 'maxLoaned', 'overflow', 'payload'] as const),
];

/** Said when all was published to nobody. */
const NOBODY =
  'sealane: 0 subscribers: nobody got anything; --wait-subscribers 1 waits for one, and --latest --stay keeps it for those that come later';

export interface PublishOptions
  extends DomainOptions,
    AllowOptions,
    Partial<Record<Exclude<(typeof SETTINGS)[number], 'overflow' | 'payload'>, number>> {
  file?: string;
  lines?: boolean;
  size?: number;
  count?: number;
  rate?: number;
  waitSubscribers?: number;
  /** Milliseconds. */
  timeout?: number;
  stay?: boolean;
  whenFull?: FullAction;
  /** false: `--no-overflow`; undefined: as the service has it. */
  overflow?: boolean;
  payload?: ServiceSettings['payload'];
  latest?: boolean;
  attribute?: Record<string, string>;
}

/** Publishes until the input, or `--count`, is used up. */
export async function runPublish(name: string, options: PublishOptions, terminal: Terminal): Promise<void> {
  checkInput(options);
  await withNode('sealane service publish', options, async (node, interrupt) => {
    const { signal } = interrupt;
    await using input = await openInput(options.file, signal);
    const whole = await wholeOf(input, options);
    const settings = settingsOf(options, whole === undefined ? options.size : bytesOf(whole));
    await using service = await node.service(name).publishSubscribe(settings);
    await using publisher = await service.publisher({ whenFull: options.whenFull });
    const connectedNow = () => publisher.figures.subscribers.length;
    await waitForPeers(service, publisher, { ...waitOf(options), connectedNow }, signal);
    const mayBlock = !service.settings.overflow && (options.whenFull ?? 'wait') === 'wait';
    const outgoing = new Outgoing(publisher, options, mayBlock, signal);
    if (whole !== undefined) await sendWhole(outgoing, whole);
    else if (options.size !== undefined) await sendRecords(outgoing, input, options.size);
    else await sendLines(outgoing, input);
    report(name, outgoing, options, terminal);
    if (options.stay) await stay(interrupt);
  });
}

function checkInput({ file, lines, stay, latest, history }: PublishOptions): void {
  if (file === '') throw usageError('the file name is empty', 'give a FILE, or - for standard input');
  if (file === undefined && !lines && process.stdin.isTTY)
    throw usageError('nothing to publish', 'give --file FILE, or --lines to type samples in');
  if (stay && !latest && !history)
    throw usageError('--stay keeps nothing without a history', 'add --latest or --history NUMBER');
}

/** What is stated; else samples are as large as what is published, where that is known. */
function settingsOf(options: PublishOptions, bytes: number | undefined): ServiceOptions {
  const stated = SETTINGS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]));
  return {
    ...(bytes === undefined ? {} : { maxBytes: Math.max(1, bytes) }),
    ...(options.latest ? latest : {}),
    ...Object.fromEntries(stated),
    ...(options.attribute === undefined ? {} : { attributes: options.attribute }),
    ...accessOf(options),
  };
}

/** A file whose size is known and that is sent once is read into the sample; all else that is one sample is read before. */
async function wholeOf(input: Input, options: PublishOptions): Promise<Buffer | FileWhole | undefined> {
  if (options.lines || options.size !== undefined) return undefined;
  const once = (options.count ?? (options.rate === undefined ? 1 : 2)) === 1;
  if (once && input.knownBytes !== undefined) return { input, bytes: input.knownBytes };
  const content = await input.rest();
  if (content.length === 0 && options.file === undefined)
    throw usageError(
      'nothing came on standard input',
      'give --file FILE, or --file - to publish an empty sample',
    );
  return content;
}

/** A file that is one sample. */
interface FileWhole {
  readonly input: Input;
  readonly bytes: number;
}

function bytesOf(whole: Buffer | FileWhole): number {
  return Buffer.isBuffer(whole) ? whole.length : whole.bytes;
}

function waitOf({ waitSubscribers, timeout }: PublishOptions): PeerWait {
  const starter = 'sealane service subscribe';
  return { kind: 'subscriber', wanted: waitSubscribers, timeoutMs: timeout, starter };
}

/** Sends samples, no faster than wanted, and counts them. */
class Outgoing {
  readonly publisher: Publisher;
  samples = 0;
  bytes = 0;
  /** How many subscribers got the last one. */
  subscribers = 0;
  /** Whether any got one. */
  reached = false;
  readonly #mayBlock: boolean;
  readonly #signal: AbortSignal;
  readonly #most: number;
  readonly #pace: Pace;

  constructor(publisher: Publisher, options: PublishOptions, mayBlock: boolean, signal: AbortSignal) {
    this.publisher = publisher;
    this.#mayBlock = mayBlock;
    this.#signal = signal;
    const once = options.rate === undefined && !options.lines && options.size === undefined;
    this.#most = options.count ?? (once ? 1 : Number.POSITIVE_INFINITY);
    this.#pace = new Pace(options.rate, signal);
  }

  /** Whether `--count` is reached. */
  get done(): boolean {
    return this.samples >= this.#most;
  }

  /** Loans a sample, when its time has come. */
  async loan(bytes: number): Promise<Loan> {
    const turn = this.#pace.due(this.samples);
    if (turn !== undefined) await turn;
    return this.publisher.hot.loan(bytes);
  }

  /** Sends it. It must not be touched afterwards. */
  async send(loan: Loan, bytes: number): Promise<void> {
    this.subscribers = this.#mayBlock ? await loan.sendAsync({ signal: this.#signal }) : loan.send();
    this.reached ||= this.subscribers > 0;
    this.samples += 1;
    this.bytes += bytes;
  }

  /** Sends a copy. */
  async copy(content: Uint8Array): Promise<void> {
    const loan = await this.loan(content.length);
    loan.bytes.set(content);
    await this.send(loan, content.length);
  }
}

async function sendWhole(outgoing: Outgoing, whole: Buffer | FileWhole): Promise<void> {
  if (!Buffer.isBuffer(whole)) await sendFilled(outgoing, whole.input, whole.bytes);
  else while (!outgoing.done) await outgoing.copy(whole);
}

async function sendRecords(outgoing: Outgoing, input: Input, size: number): Promise<void> {
  while (!outgoing.done && (await sendFilled(outgoing, input, size)) === size);
}

/** Fills one sample from the input and sends what came, unless that is nothing. */
async function sendFilled(outgoing: Outgoing, input: Input, size: number): Promise<number> {
  const loan = await outgoing.loan(size);
  const filled = await input.fill(loan.bytes);
  if (filled === size) await outgoing.send(loan, size);
  else {
    const rest = Buffer.from(loan.bytes.subarray(0, filled));
    loan.release();
    if (filled > 0) await outgoing.copy(rest);
  }
  return filled;
}

async function sendLines(outgoing: Outgoing, input: Input): Promise<void> {
  for await (const line of input.lines()) {
    await outgoing.copy(line);
    if (outgoing.done) return;
  }
}

function report(service: string, outgoing: Outgoing, options: PublishOptions, terminal: Terminal): void {
  const { samples, bytes, subscribers, reached } = outgoing;
  const { err } = terminal;
  if (terminal.json) terminal.writeJson({ service, samples, bytes, subscribers });
  else if (samples > 0 && !reached && !options.stay) err.line(NOBODY);
  else if (err.terminal)
    err.line(err.style.dim(`published ${formatCount(samples, 'sample')}, ${formatBytes(bytes)}`));
}

/** Until a signal comes, which ends the command as it always does. */
async function stay(interrupt: Interrupt): Promise<never> {
  throw await interrupt.wait();
}
