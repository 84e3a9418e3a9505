/** `sealane node list` and `inspect`: who takes part in a domain. */
import { type ListedNode, type ListedService, listNodes, listServices, type PortInfo } from 'sealane';
import { EXIT } from '../exit-codes.js';
import { CommandError, usageError } from '../failure.js';
import { attributeFacts, coloured, type Fact, optionText, printFacts } from '../messaging/facts.js';
import { type DomainOptions, domainWords, explained, isShared, placeOf } from '../messaging/participate.js';
import { field } from '../terminal/escape.js';
import { type Column, renderTable } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatAge } from '../terminal/units.js';

const COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'USER', align: 'right', optional: true },
  { title: 'PID', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'ATTRIBUTES', optional: true },
  { title: 'PROBLEM', optional: true },
  { title: 'NAME', flexible: true },
];

/** A port, with the service that it is in. */
interface NodePort extends PortInfo {
  readonly service: string;
}

/** Prints a table on a terminal, a line for each node elsewhere, JSON Lines when asked. */
export async function runNodeList(options: DomainOptions, terminal: Terminal): Promise<void> {
  const nodes = await explained(options, () => listNodes(placeOf(options)));
  if (terminal.json) for (const node of nodes) terminal.writeJson(toJson(node));
  else if (!terminal.out.terminal) printLines(nodes, isShared(options), terminal);
  else if (nodes.length > 0) printTable(nodes, isShared(options), terminal);
  else terminal.err.line(terminal.err.style.dim('no nodes; `sealane service publish NAME` makes one'));
}

/** Prints what is known about one node. */
export async function runNodeInspect(
  argument: string,
  options: DomainOptions,
  terminal: Terminal,
): Promise<void> {
  const place = placeOf(options);
  const [nodes, services] = await explained(options, async () => [
    await listNodes(place),
    await listServices(place),
  ]);
  const node = find(nodes, argument, options);
  const ports = services.flatMap((service) => portsOf(service, node.id));
  const open = services.filter(({ nodes }) => nodes.some(({ id }) => id === node.id)).map(nameOf);
  if (terminal.json) terminal.writeJson({ ...toJson(node), services: open, ports });
  else printFacts([...factsOf(node, terminal), ...open.map(serviceFact), ...ports.map(portFact)], terminal);
}

function find(nodes: readonly ListedNode[], argument: string, options: DomainOptions): ListedNode {
  const isId = /^[0-9a-f]{1,16}$/.test(argument);
  const named = nodes.filter(({ name }) => name === argument);
  const found = named.length > 0 ? named : nodes.filter(({ id }) => isId && id.startsWith(argument));
  const [first, ...others] = found;
  if (first === undefined) {
    const hint = `\`sealane node list${domainWords(options)}\` shows those that are there`;
    throw new CommandError('ERR_SEALANE_NOT_FOUND', EXIT.notFound, `no node ${argument}`, hint);
  }
  if (others.length === 0) return first;
  const ids = found.map(({ id }) => id).join(', ');
  throw usageError(`${found.length} nodes are meant by ${argument}`, `give an id: ${ids}`);
}

function toJson({ startedAt, ...node }: ListedNode): Record<string, unknown> {
  return { ...node, startedAt: startedAt?.toISOString() };
}

function printLines(nodes: readonly ListedNode[], shared: boolean, { out }: Terminal): void {
  for (const node of nodes) out.line(toLine(node, shared));
}

function toLine({ id, state, pid, uid, startedAt, name }: ListedNode, shared: boolean): string {
  const user = shared ? [`user=${field(uid)}`] : [];
  return [id, state, field(pid), startedAt?.toISOString() ?? '-', ...user, field(name)].join('\t');
}

function printTable(nodes: readonly ListedNode[], shared: boolean, { out }: Terminal): void {
  const nowMs = Date.now();
  const rows = nodes.map(({ id, state, pid, uid, startedAt, attributes, problem, name }) => [
    ...[id, state, shared ? field(uid) : ''],
    ...[field(pid), startedAt === undefined ? '-' : formatAge(nowMs - startedAt.getTime())],
    ...[optionText(attributes), problem === undefined ? '' : field(problem), field(name)],
  ]);
  for (const line of renderTable(COLUMNS, rows, out.layout)) out.line(line);
}

function factsOf(node: ListedNode, { out }: Terminal): Fact[] {
  const { id, name, state, pid, uid, gid, startedAt, attributes, problem } = node;
  return [
    ['id', id],
    ['name', field(name)],
    ['state', coloured(state, out.style)],
    ['pid', field(pid)],
    ['uid', field(uid)],
    ['gid', field(gid)],
    ['started', startedAt?.toISOString() ?? '-'],
    ...attributeFacts(attributes),
    ...(problem === undefined ? [] : [['problem', field(problem)] as const]),
  ];
}

function nameOf({ name, folder }: ListedService): string {
  return name ?? folder;
}

function portsOf(service: ListedService, node: string): NodePort[] {
  return service.ports
    .filter((port) => port.node === node)
    .map((port) => ({ service: nameOf(service), ...port }));
}

function serviceFact(name: string): Fact {
  return ['service', field(name)];
}

function portFact({ service, kind, port, options }: NodePort): Fact {
  return [kind, [field(service), `port=${port}`, optionText(options)].join('\t')];
}
