/** How a look at a domain is shown: tables, lines and JSON. Pure. What nodes say of themselves is escaped. */
import type { ObservedDomain, ObservedNode, ObservedPort, ObservedService } from 'sealane';
import { field } from '../terminal/escape.js';
import { createStyle, type Style } from '../terminal/style.js';
import { type Column, renderTable, type TableLayout } from '../terminal/table.js';
import { formatCount, formatDuration } from '../terminal/units.js';
import { shorten } from '../terminal/width.js';
import { figuresOf, receiversOf, sendersOf } from './visible.js';

/** What services are sorted by. */
export const SORTS = ['rate', 'latency', 'fill', 'lost', 'borrowed', 'name'] as const;
export type Sort = (typeof SORTS)[number];

const KEYS: Readonly<Record<Exclude<Sort, 'name'>, (service: ObservedService) => number>> = {
  rate: ({ sentPerSecond, receivedPerSecond }) => Math.max(sentPerSecond, receivedPerSecond),
  latency: ({ latencyUs }) => latencyUs?.p99 ?? -1,
  fill: ({ fill }) => fill,
  lost: ({ lostPerSecond, lost }) => lostPerSecond || lost / 1e16,
  borrowed: ({ borrowed, leaked }) => borrowed + leaked,
};

const right = (title: string): Column => ({ title, align: 'right' });

const SERVICE_COLUMNS: readonly Column[] = [
  { title: 'SERVICE', flexible: true },
  { ...right('PUB'), yields: true },
  { ...right('SUB'), yields: true },
  ...[right('SENT/S'), right('RECV/S'), right('P50'), right('P99'), right('FILL'), right('LOST/S')],
  ...[right('LOST'), right('BORROWED'), right('LEAKED')],
];

/** Cells of a service that colour it. */
const FILL = 7;
const LOST_RATE = 8;
const LEAKED = 11;
const NEARLY_FULL_PERCENT = 75;

const NODE_COLUMNS: readonly Column[] = [
  { title: 'NODE', flexible: true },
  { title: 'ID', yields: true },
  ...[right('PID'), right('PORTS'), right('SENT/S'), right('RECV/S'), right('LOST/S')],
  ...[right('BORROWED'), right('LEAKED')],
  { title: 'PROBLEM', optional: true },
];

/** The services whose names match a pattern, and the nodes that have ports in them; undefined: all. */
export function select(domain: ObservedDomain, pattern: string | undefined): ObservedDomain {
  if (pattern === undefined) return domain;
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const matching = new RegExp(`^${parts.join('.*')}$`, 'su');
  const services = domain.services.filter(({ name }) => name !== undefined && matching.test(name));
  const ids = new Set(services.flatMap(({ ports }) => ports.map(({ node }) => node)));
  return { services, nodes: domain.nodes.filter(({ id }) => ids.has(id)) };
}

/** Those with the most first; by name where that is equal. */
export function sortServices(services: readonly ObservedService[], sort: Sort): ObservedService[] {
  if (sort === 'name') return [...services];
  const key = KEYS[sort];
  return [...services].sort((a, b) => key(b) - key(a));
}

/** What fits a terminal of so many lines, without the last. */
export function toScreen(domain: ObservedDomain, sort: Sort, rows: number, layout: TableLayout): string[] {
  const services = sortServices(domain.services, sort).map(serviceRow);
  const nodes = nodesOf(domain).map(nodeRow);
  const room = Math.max(2, rows - 6);
  const shownServices = Math.min(services.length, Math.max(room - nodes.length, Math.ceil(room / 2)));
  const shownNodes = Math.min(nodes.length, room - shownServices);
  const table = (columns: readonly Column[], cells: string[][]) => plainTable(columns, cells, layout);
  const { style } = layout;
  const [servicesTitle = '', ...serviceLines] = table(SERVICE_COLUMNS, services.slice(0, shownServices));
  const [nodesTitle = '', ...nodeLines] = table(NODE_COLUMNS, nodes.slice(0, shownNodes));
  return [
    style.bold(cut(summary(domain, sort), layout)),
    style.dim(servicesTitle),
    ...serviceLines.map((line, row) => coloured(line, services[row] as string[], style)),
    style.dim(more(services.length - shownServices, 'service')),
    style.dim(nodesTitle),
    ...nodeLines,
    style.dim(more(nodes.length - shownNodes, 'node')),
  ];
}

/** Colour comes later: lines that are wider than the screen would not be drawn in place. */
function plainTable(columns: readonly Column[], rows: string[][], layout: TableLayout): string[] {
  return renderTable(columns, rows, { ...layout, style: createStyle(false) }).map((line) =>
    cut(line, layout),
  );
}

function cut(line: string, { width, ellipsis }: TableLayout): string {
  return width === undefined ? line : shorten(line, width, ellipsis);
}

/** A service as a line of fields, its name last. */
export function toLine(service: ObservedService): string {
  const { latencyUs, ports, messaging } = service;
  const known = figuresOf(service);
  const [senders, receivers] =
    messaging === 'event' ? ['notifiers', 'listeners'] : ['publishers', 'subscribers'];
  const figures = {
    [`${senders}`]: sendersOf(ports).length,
    [`${receivers}`]: receiversOf(ports).length,
    sent_per_second: known.sentPerSecond?.toFixed(1) ?? '-',
    received_per_second: known.receivedPerSecond?.toFixed(1) ?? '-',
    p50_us: latencyUs?.p50.toFixed(1) ?? '-',
    p99_us: latencyUs?.p99.toFixed(1) ?? '-',
    fill: known.fill?.toFixed(2) ?? '-',
    lost_per_second: known.lostPerSecond?.toFixed(1) ?? '-',
    lost: known.lost ?? '-',
    borrowed: known.borrowed ?? '-',
    leaked: known.leaked ?? '-',
  };
  const fields = Object.entries(figures).map(([key, value]) => `${key}=${value}`);
  return [...fields, field(service.name ?? service.folder)].join('\t');
}

function summary({ nodes, services }: ObservedDomain, sort: Sort): string {
  const sent = services.reduce((sum, { sentPerSecond }) => sum + sentPerSecond, 0);
  const lost = services.reduce((sum, { lostPerSecond }) => sum + lostPerSecond, 0);
  return [
    ...[formatCount(nodes.length, 'node'), formatCount(services.length, 'service')],
    ...[`${rate(sent)} samples/s`, `${rate(lost)} lost/s`, `sorted by ${sort}`],
  ].join('  ');
}

function more(hidden: number, thing: string): string {
  return hidden > 0 ? `${formatCount(hidden, thing)} more` : '';
}

function serviceRow(service: ObservedService): string[] {
  const { ports, latencyUs } = service;
  const { fill, lost, borrowed, leaked, ...known } = figuresOf(service);
  return [
    field(service.name ?? service.folder),
    ...[String(sendersOf(ports).length), String(receiversOf(ports).length)],
    ...[rate(known.sentPerSecond), rate(known.receivedPerSecond)],
    ...[latency(latencyUs?.p50), latency(latencyUs?.p99)],
    fill === undefined ? '-' : `${Math.round(fill * 100)} %`,
    ...[rate(known.lostPerSecond), field(lost), field(borrowed), field(leaked)],
  ];
}

/** Red: it loses samples, or they leak. Yellow: a buffer is nearly full. */
function coloured(line: string, row: readonly string[], style: Style): string {
  if ([row[LOST_RATE], row[LEAKED]].some((cell) => cell !== '0' && cell !== '-')) return style.red(line);
  return Number.parseInt(row[FILL] ?? '0', 10) >= NEARLY_FULL_PERCENT ? style.yellow(line) : line;
}

/** A node with what its ports do. */
interface NodeFigures extends ObservedNode {
  readonly ports: readonly ObservedPort[];
}

function nodesOf({ nodes, services }: ObservedDomain): NodeFigures[] {
  const ports = new Map<string, ObservedPort[]>(nodes.map(({ id }) => [id, []]));
  for (const service of services) for (const port of service.ports) ports.get(port.node)?.push(port);
  return nodes.map((node) => ({ ...node, ports: ports.get(node.id) ?? [] }));
}

function nodeRow({ id, name, pid, observed, problem, ports }: NodeFigures): string[] {
  const total = (figure: (port: ObservedPort) => number) =>
    observed ? ports.reduce((sum, port) => sum + figure(port), 0) : undefined;
  const sent = total(sentBy);
  const received = total((port) => ('receivedPerSecond' in port ? port.receivedPerSecond : 0));
  const lost = total((port) => (port.kind === 'publisher' ? port.lostPerSecond : 0));
  const borrowed = total((port) => (port.kind === 'subscriber' ? port.borrowed : 0));
  const leaked = total((port) => ('leaked' in port ? port.leaked : 0));
  return [
    ...[field(name), id.slice(0, 8), field(pid), String(ports.length)],
    ...[rate(sent), rate(received), rate(lost), field(borrowed), field(leaked)],
    problem === undefined ? '' : field(problem),
  ];
}

function sentBy(port: ObservedPort): number {
  if (port.kind === 'notifier') return port.notifiedPerSecond;
  return port.kind === 'publisher' ? port.sentPerSecond : 0;
}

function latency(us: number | undefined): string {
  return us === undefined ? '-' : formatDuration(us / 1_000);
}

/** Three digits: `0`, `0.4`, `12.5`, `987`, `12.3k`, `1.25M`; `-` is what is not known. */
function rate(perSecond: number | undefined): string {
  if (perSecond === undefined) return '-';
  if (perSecond < 99.95) return perSecond === 0 ? '0' : perSecond.toFixed(1);
  if (perSecond < 9_999.5) return perSecond.toFixed(0);
  return perSecond < 999_950 ? `${(perSecond / 1e3).toFixed(1)}k` : `${(perSecond / 1e6).toFixed(2)}M`;
}
