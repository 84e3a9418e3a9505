/** `sealane event notify`: tells the listeners of a service of an event. Owns its notifier for as long as it runs. */
import type { EventOptions, Notifier } from 'sealane';
import { type AllowOptions, accessOf } from '../messaging/account.js';
import { Pace } from '../messaging/pace.js';
import { type DomainOptions, withNode } from '../messaging/participate.js';
import { type PeerWait, waitForPeers } from '../messaging/peers.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatCount } from '../terminal/units.js';

/** Options of which the library knows the meaning. */
const SETTINGS = [
  ...(['eventIds', 'maxNotifiers', 'maxListeners', 'maxNodes'] as const),
  ...(['notifierCreated', 'notifierDropped', 'notifierDead'] as const),
];

/** Said when nobody was told of anything. */
const NOBODY = 'sealane: 0 listeners: nobody was told; --wait-listeners 1 waits for one';

export interface NotifyOptions
  extends DomainOptions,
    AllowOptions,
    Partial<Record<(typeof SETTINGS)[number], number>> {
  count?: number;
  rate?: number;
  one?: boolean;
  waitListeners?: number;
  /** Milliseconds. */
  timeout?: number;
  /** Milliseconds. */
  deadline?: number;
  attribute?: Record<string, string>;
}

/** What came of it. */
interface Told {
  readonly notifications: number;
  /** How many listeners were told the last time. */
  readonly listeners: number;
  /** Whether any was told at any time. */
  readonly reached: boolean;
}

/** Notifies until `--count` is reached. */
export async function runNotify(
  name: string,
  id: number | undefined,
  options: NotifyOptions,
  terminal: Terminal,
): Promise<void> {
  await withNode('sealane event notify', options, async (node, { signal }) => {
    await using service = await node.service(name).event(settingsOf(options));
    await using notifier = await service.notifier({ id: id ?? 0 });
    const connectedNow = () => notifier.figures.listeners.length;
    await waitForPeers(service, notifier, { ...waitOf(options), connectedNow }, signal);
    const { reached, ...told } = await notify(notifier, options, signal);
    if (!reached && !terminal.json) terminal.err.line(NOBODY);
    else report({ service: name, id: id ?? 0, ...told }, terminal);
  });
}

/** What is stated. */
function settingsOf(options: NotifyOptions): EventOptions {
  const stated = SETTINGS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]));
  return {
    ...Object.fromEntries(stated),
    ...(options.deadline === undefined ? {} : { deadlineMs: options.deadline }),
    ...(options.attribute === undefined ? {} : { attributes: options.attribute }),
    ...accessOf(options),
  };
}

function waitOf({ waitListeners, timeout }: NotifyOptions): PeerWait {
  return { kind: 'listener', wanted: waitListeners, timeoutMs: timeout, starter: 'sealane event listen' };
}

async function notify(
  notifier: Notifier,
  { one, count, rate }: NotifyOptions,
  signal: AbortSignal,
): Promise<Told> {
  const pace = new Pace(rate, signal);
  const most = count ?? (rate === undefined ? 1 : Number.POSITIVE_INFINITY);
  let listeners = 0;
  let reached = false;
  for (let step = 0; step < most; step++) {
    const turn = pace.due(step);
    if (turn !== undefined) await turn;
    listeners = one ? notifier.notifyOne() : notifier.notify();
    reached ||= listeners > 0;
  }
  return { notifications: most, listeners, reached };
}

function report(told: Omit<Told, 'reached'> & { service: string; id: number }, terminal: Terminal): void {
  const { err } = terminal;
  if (terminal.json) terminal.writeJson(told);
  else if (err.terminal) err.line(err.style.dim(`told ${formatCount(told.listeners, 'listener')}`));
}
