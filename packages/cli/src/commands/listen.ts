/** `sealane event listen`: the events of a service, as lines for people or as JSON. Owns its listener for as long as it runs. */
import type { EventNotice, EventService, Listener } from 'sealane';
import type { CommandError } from '../failure.js';
import { type AllowOptions, accessOf } from '../messaging/account.js';
import { Arrivals, type Receiver } from '../messaging/arrivals.js';
import {
  type DomainOptions,
  openService,
  Turns,
  tooLate,
  withNode,
  withTimeout,
} from '../messaging/participate.js';
import { absent } from '../messaging/receiving.js';
import { room } from '../messaging/room.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatDuration } from '../terminal/units.js';

/** Digits of a node's id that a person needs to tell nodes apart. */
const SHORT_ID = 8;

export interface ListenOptions extends DomainOptions, AllowOptions {
  wait?: boolean;
  count?: number;
  untilGone?: boolean;
  /** Milliseconds to wait for the service, and then for each event. */
  timeout?: number;
  attribute?: Record<string, string | true>;
}

/** Prints events until `--count`, `--until-gone` or `--timeout` ends it, or a signal comes. */
export async function runListen(name: string, options: ListenOptions, terminal: Terminal): Promise<void> {
  await withNode('sealane event listen', options, async (node, { signal }) => {
    const needs = { attributes: options.attribute, ...accessOf(options) };
    const open = () => node.service(name).openEvent(needs);
    await using service = await withTimeout(
      signal,
      options.timeout,
      () => absent(name, options),
      (either) => openService(node, open, { wait: options.wait, signal: either }),
    );
    await using listener = await service.listener();
    await listen(service, listener, { ...options, signal }, terminal);
  });
}

async function listen(
  service: EventService,
  listener: Listener,
  options: ListenOptions & { signal: AbortSignal },
  terminal: Terminal,
): Promise<void> {
  const { count = Number.POSITIVE_INFINITY, signal } = options;
  const turns = new Turns();
  const arrivals = new Arrivals(service, asReceiver(listener), options, signal, silent);
  for (let left = count; left > 0; ) {
    const notice = arrivals.receive() ?? (await arrivals.next());
    if (notice === undefined) return;
    show(notice, terminal);
    left -= notice.type === 'event' ? notice.count : 0;
    await room(terminal, signal);
    if (turns.due) await turns.give(signal);
  }
}

function asReceiver(listener: Listener): Receiver<EventNotice> {
  return {
    port: listener.port,
    get closed() {
      return listener.closed;
    },
    senders: () => listener.figures.notifiers.length,
    receive: () => listener.receive(),
    next: (options) => listener.next(options),
  };
}

function show(notice: EventNotice, terminal: Terminal): void {
  if (terminal.json) terminal.writeJson(toJson(notice));
  else if (terminal.out.terminal) terminal.out.line(toTerminalLine(notice, terminal));
  else terminal.out.line(toLine(notice));
}

function toJson(notice: EventNotice): Record<string, unknown> {
  if (notice.type === 'deadline') return { ...notice };
  const { type, id, count, notifier } = notice;
  return { type, id, count, node: notifier.node, notifier: notifier.port, pid: notifier.pid };
}

function toLine(notice: EventNotice): string {
  if (notice.type === 'deadline') return `deadline\telapsed_ms=${notice.elapsedMs.toFixed(3)}`;
  const { id, count, notifier } = notice;
  return [id, `count=${count}`, `${notifier.node}:${notifier.port}`].join('\t');
}

function toTerminalLine(notice: EventNotice, { out }: Terminal): string {
  const { style } = out;
  if (notice.type === 'deadline') return style.red(`nothing came for ${formatDuration(notice.elapsedMs)}`);
  const { id, count, notifier } = notice;
  const fields = [
    style.cyan(String(id).padStart(4)),
    style.dim(`${notifier.node.slice(0, SHORT_ID)}:${notifier.port}`),
    ...(count === 1 ? [] : [`${count} times`]),
  ];
  return fields.join('  ');
}

function silent(timeoutMs: number): CommandError {
  const message = `no event came within ${formatDuration(timeoutMs)}`;
  return tooLate(message, 'wait longer with --timeout, or see with `sealane service inspect` who notifies');
}
