/** Puts together what two looks at the nodes brought: what a port did meanwhile, and what both ends say of a pair. Pure. */
import type { PortSnapshot, RowSnapshot } from '../../shm/figures-reader.js';
import { latencyQuantile } from '../../shm/latencies.js';
import {
  FIGURES_KIND_LISTENER,
  FIGURES_KIND_NOTIFIER,
  FIGURES_KIND_PUBLISHER,
  FIGURES_KIND_SUBSCRIBER,
  FIGURES_WRITTEN_NS,
  LISTENER_FIGURE_MISSED_DEADLINES,
  LISTENER_FIGURE_RECEIVED,
  NOTIFIER_FIGURE_NOTIFIED,
  PUBLISHER_FIGURE_FORGOTTEN,
  PUBLISHER_FIGURE_LOANED,
  PUBLISHER_FIGURE_LOST,
  PUBLISHER_FIGURE_MEMORY_BYTES,
  PUBLISHER_FIGURE_SENT,
  PUBLISHER_FIGURE_SLOTS,
  PUBLISHER_FIGURE_USED_SLOTS,
  PUBLISHER_ROW_HELD,
  PUBLISHER_ROW_LOST,
  PUBLISHER_ROW_WAITING,
  SUBSCRIBER_FIGURE_FORGOTTEN,
  SUBSCRIBER_FIGURE_MISSED,
  SUBSCRIBER_FIGURE_RECEIVED,
  SUBSCRIBER_ROW_BORROWED,
  SUBSCRIBER_ROW_MISSED,
  SUBSCRIBER_ROW_RECEIVED,
  SUBSCRIBER_ROW_WAITING,
} from '../../shm/layout.js';
import type { PortKey } from '../domain/names.js';
import type { NodeView } from './node-view.js';
import type { ObservedLatency, ObservedPort, ObservedSubscription } from './observed.js';

/** Samples that wait of those that may, by what both sides of a pair last said: whoever wrote later is believed. */
type Waiting = Pick<ObservedSubscription, 'bufferSize' | 'waiting'>;

/** All ports of a domain, to be put together. */
export class PortViews {
  readonly #views: ReadonlyMap<string, NodeView>;

  constructor(views: ReadonlyMap<string, NodeView>) {
    this.#views = views;
  }

  /** Of the samples that these ports received since the look before. */
  latency(keys: readonly PortKey[]): ObservedLatency | undefined {
    const total: number[] = [];
    for (const key of keys)
      this.#latencies(key).forEach((count, bucket) => {
        total[bucket] = (total[bucket] ?? 0) + count;
      });
    return latencyOf(total);
  }

  /** The counts of the buckets since the look before. */
  #latencies({ node, port }: PortKey): number[] {
    const view = this.#views.get(node);
    const now = view?.now?.ports.get(port)?.latencies ?? [];
    const before = view?.before?.ports.get(port)?.latencies ?? [];
    return now.map((count, bucket) => since(count, before[bucket]));
  }

  port(key: PortKey): ObservedPort {
    const view = this.#views.get(key.node);
    const base = { node: key.node, port: key.port, pid: view?.pid === 0 ? undefined : view?.pid };
    const now = view?.now?.ports.get(key.port);
    if (view === undefined || now === undefined) return { ...base, kind: 'unknown', role: key.kind };
    const change = (figure: Figure) => perSecond(view, key.port, figure);
    if (now.kind === FIGURES_KIND_PUBLISHER && key.kind === 'publisher')
      return { ...base, ...this.#publisher(key, now, change) };
    if (now.kind === FIGURES_KIND_SUBSCRIBER && key.kind === 'subscriber')
      return { ...base, ...this.#subscriber(key, now, change) };
    if (now.kind === FIGURES_KIND_NOTIFIER && key.kind === 'notifier')
      return { ...base, kind: 'notifier', notified: NOTIFIED(now), notifiedPerSecond: change(NOTIFIED) };
    if (now.kind === FIGURES_KIND_LISTENER && key.kind === 'listener')
      return { ...base, ...listener(now, change) };
    return { ...base, kind: 'unknown', role: key.kind };
  }

  #publisher(key: PortKey, now: PortSnapshot, change: Change) {
    const { figures, rows } = now;
    return {
      kind: 'publisher' as const,
      sent: SENT(now),
      sentPerSecond: change(SENT),
      lost: LOST(now),
      lostPerSecond: change(LOST),
      loaned: at(figures, PUBLISHER_FIGURE_LOANED),
      leaked: at(figures, PUBLISHER_FIGURE_FORGOTTEN),
      slots: at(figures, PUBLISHER_FIGURE_SLOTS),
      usedSlots: at(figures, PUBLISHER_FIGURE_USED_SLOTS),
      memoryBytes: at(figures, PUBLISHER_FIGURE_MEMORY_BYTES),
      subscribers: rows.map((row) => ({
        ...{ node: row.node, port: row.port, pid: row.pid },
        ...this.#waiting(key, row),
        held: at(row.figures, PUBLISHER_ROW_HELD),
        lost: at(row.figures, PUBLISHER_ROW_LOST),
      })),
    };
  }

  #subscriber(key: PortKey, now: PortSnapshot, change: Change) {
    const sources = now.rows.map((row) => ({
      ...{ node: row.node, port: row.port, pid: row.pid },
      ...this.#waiting(row, { ...row, ...key }),
      maxBorrowed: row.maxBorrowed,
      borrowed: at(row.figures, SUBSCRIBER_ROW_BORROWED),
      received: at(row.figures, SUBSCRIBER_ROW_RECEIVED),
      missed: at(row.figures, SUBSCRIBER_ROW_MISSED),
    }));
    return {
      kind: 'subscriber' as const,
      received: RECEIVED(now),
      receivedPerSecond: change(RECEIVED),
      missed: MISSED(now),
      missedPerSecond: change(MISSED),
      borrowed: sources.reduce((sum, { borrowed }) => sum + borrowed, 0),
      leaked: at(now.figures, SUBSCRIBER_FIGURE_FORGOTTEN),
      latencyUs: latencyOf(this.#latencies(key)),
      publishers: sources,
    };
  }

  /** Of the pair of these two. */
  #waiting(publisher: PortAddressKey, subscriber: PortAddressKey): Waiting {
    const sent = this.#side(publisher, subscriber, PUBLISHER_ROW_WAITING);
    const received = this.#side(subscriber, publisher, SUBSCRIBER_ROW_WAITING);
    const [later, other] =
      (received?.writtenNs ?? -1) > (sent?.writtenNs ?? -1) ? [received, sent] : [sent, received];
    const bufferSize = later?.bufferSize || other?.bufferSize || 0;
    return { bufferSize, waiting: Math.min(later?.waiting ?? 0, bufferSize) };
  }

  /** What one side says of a pair. */
  #side(own: PortAddressKey, peer: PortAddressKey, figure: number) {
    const port = this.#views.get(own.node)?.now?.ports.get(own.port);
    const row = port?.rows.find(({ node, port: number }) => node === peer.node && number === peer.port);
    if (port === undefined || row === undefined) return undefined;
    const writtenNs = at(port.figures, FIGURES_WRITTEN_NS);
    return { writtenNs, bufferSize: row.bufferSize, waiting: at(row.figures, figure) };
  }
}

type PortAddressKey = Pick<RowSnapshot, 'node' | 'port'>;

/** What a port counted so far. */
type Figure = (port: PortSnapshot) => number;

/** How much of it came a second. */
type Change = (figure: Figure) => number;

const NOTIFIED: Figure = ({ figures }) => at(figures, NOTIFIER_FIGURE_NOTIFIED);
const HEARD: Figure = ({ figures }) => at(figures, LISTENER_FIGURE_RECEIVED);
const SENT: Figure = ({ figures }) => at(figures, PUBLISHER_FIGURE_SENT);
const LOST = withRows(PUBLISHER_FIGURE_LOST, PUBLISHER_ROW_LOST);
const RECEIVED = withRows(SUBSCRIBER_FIGURE_RECEIVED, SUBSCRIBER_ROW_RECEIVED);
const MISSED = withRows(SUBSCRIBER_FIGURE_MISSED, SUBSCRIBER_ROW_MISSED);

function listener(now: PortSnapshot, change: Change) {
  return {
    kind: 'listener' as const,
    received: HEARD(now),
    receivedPerSecond: change(HEARD),
    missedDeadlines: at(now.figures, LISTENER_FIGURE_MISSED_DEADLINES),
  };
}

/** Of the connections that are over, and of the others. */
function withRows(own: number, row: number): Figure {
  return ({ figures, rows }) => rows.reduce((sum, { figures: of }) => sum + at(of, row), at(figures, own));
}

/** 0 where there is only one look yet. A port that was not there at the look before counts from 0. */
function perSecond({ before, now }: NodeView, number: number, figure: Figure): number {
  const port = now?.ports.get(number);
  if (before === undefined || now === undefined || port === undefined) return 0;
  const former = before.ports.get(number);
  const change = since(figure(port), former === undefined ? 0 : figure(former));
  const seconds = former === undefined ? (now.atMs - before.atMs) / 1_000 : secondsBetween(former, port);
  return seconds > 0 ? change / seconds : 0;
}

/** By when the port wrote its figures: it does that now and then, and observers look when they want. */
function secondsBetween(former: PortSnapshot, latter: PortSnapshot): number {
  return (at(latter.figures, FIGURES_WRITTEN_NS) - at(former.figures, FIGURES_WRITTEN_NS)) / 1e9;
}

/** What counts never goes back, but where it lies. */
function since(now: number, before = 0): number {
  return Math.max(0, now - before);
}

function at(figures: readonly number[], index: number): number {
  return figures[index] ?? 0;
}

/** Of counted buckets. */
function latencyOf(buckets: readonly number[]): ObservedLatency | undefined {
  const p50 = latencyQuantile(buckets, 0.5);
  const p99 = latencyQuantile(buckets, 0.99);
  return p50 === undefined || p99 === undefined ? undefined : { p50: p50 / 1_000, p99: p99 / 1_000 };
}
