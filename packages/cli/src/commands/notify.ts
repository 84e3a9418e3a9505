/** `sealane event notify`: tells the listeners of a service of an event. Owns its notifier for as long as it runs. */
import type { EventOptions, EventService, Notifier } from 'sealane';
import { Pace } from '../messaging/pace.js';
import { type DomainOptions, tooLate, withNode, withTimeout } from '../messaging/participate.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatCount, formatDuration } from '../terminal/units.js';

/** Options of which the library knows the meaning. */
const SETTINGS = [
  ...(['eventIds', 'maxNotifiers', 'maxListeners', 'maxNodes'] as const),
  ...(['notifierCreated', 'notifierDropped', 'notifierDead'] as const),
];

/** For how long listeners that are there already may take to connect, where nothing is said of it. */
const CONNECT_MS = 1_000;

export interface NotifyOptions extends DomainOptions, Partial<Record<(typeof SETTINGS)[number], number>> {
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
    await waitForListeners(service, notifier, options, signal);
    report({ service: name, id: id ?? 0, ...(await notify(notifier, options, signal)) }, terminal);
  });
}

/** What is stated. */
function settingsOf(options: NotifyOptions): EventOptions {
  const stated = SETTINGS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]));
  return {
    ...Object.fromEntries(stated),
    ...(options.deadline === undefined ? {} : { deadlineMs: options.deadline }),
    ...(options.attribute === undefined ? {} : { attributes: options.attribute }),
  };
}

/** For as many as are wanted; else for those that are there already, if they connect soon. */
async function waitForListeners(
  service: EventService,
  notifier: Notifier,
  { waitListeners: wanted, timeout }: NotifyOptions,
  signal: AbortSignal,
): Promise<void> {
  if (wanted !== undefined) {
    const late = () => {
      const there = notifier.figures.listeners.length;
      const message = `${formatCount(there, 'listener')} of ${wanted} came within ${formatDuration(timeout ?? 0)}`;
      return tooLate(message, 'wait longer with --timeout, or start them with `sealane event listen --wait`');
    };
    await withTimeout(signal, timeout, late, (either) => notifier.connected(wanted, { signal: either }));
    return;
  }
  const there = service.ports().filter(({ kind }) => kind === 'listener').length;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  try {
    await notifier.connected(there, { signal: soon });
  } catch (error) {
    if (signal.aborted || !soon.aborted) throw error;
  }
}

async function notify(
  notifier: Notifier,
  { one, count, rate }: NotifyOptions,
  signal: AbortSignal,
): Promise<Told> {
  const pace = new Pace(rate, signal);
  const most = count ?? (rate === undefined ? 1 : Number.POSITIVE_INFINITY);
  let listeners = 0;
  for (let step = 0; step < most; step++) {
    const turn = pace.due(step);
    if (turn !== undefined) await turn;
    listeners = one ? notifier.notifyOne() : notifier.notify();
  }
  return { notifications: most, listeners };
}

function report(told: Told & { service: string; id: number }, terminal: Terminal): void {
  const { err } = terminal;
  if (terminal.json) terminal.writeJson(told);
  else if (err.terminal) err.line(err.style.dim(`told ${formatCount(told.listeners, 'listener')}`));
}
