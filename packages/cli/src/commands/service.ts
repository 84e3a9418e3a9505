/** `sealane service list` and `inspect`: what services a domain has, and who is in them. */
import { type ListedService, listServices, type PortInfo, type ServiceSettings } from 'sealane';
import { EXIT } from '../exit-codes.js';
import { CommandError, usageError } from '../failure.js';
import { type AllowOptions, toAccount } from '../messaging/account.js';
import { attributeFacts, coloured, type Fact, optionText, printFacts } from '../messaging/facts.js';
import { type DomainOptions, domainWords, explained, isShared, placeOf } from '../messaging/participate.js';
import { findId } from '../policy/accounts.js';
import { field } from '../terminal/escape.js';
import { type Column, renderTable } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes } from '../terminal/units.js';

const COLUMNS: readonly Column[] = [
  { title: 'STATE' },
  { title: 'USER', align: 'right', optional: true },
  { title: 'KIND' },
  { title: 'NODES', align: 'right' },
  { title: 'SENDERS', align: 'right' },
  { title: 'RECEIVERS', align: 'right' },
  { title: 'SAMPLE', align: 'right' },
  { title: 'BUFFER', align: 'right' },
  { title: 'HISTORY', align: 'right' },
  { title: 'OVERFLOW' },
  { title: 'PROBLEM', optional: true },
  { title: 'NAME', flexible: true },
];

/** `allowUser`: whose services are meant. */
export type InspectOptions = DomainOptions & Pick<AllowOptions, 'allowUser'>;

/** Prints a table on a terminal, a line for each service elsewhere, JSON Lines when asked. */
export async function runServiceList(options: DomainOptions, terminal: Terminal): Promise<void> {
  const services = await explained(options, () => listServices(placeOf(options)));
  if (terminal.json) for (const service of services) terminal.writeJson(service);
  else if (!terminal.out.terminal) printLines(services, isShared(options), terminal);
  else if (services.length > 0) printTable(services, terminal);
  else terminal.err.line(terminal.err.style.dim('no services; `sealane service publish NAME` makes one'));
}

/** Prints what is known about one service. */
export async function runServiceInspect(
  name: string,
  options: InspectOptions,
  terminal: Terminal,
): Promise<void> {
  const services = await explained(options, () => listServices(placeOf(options)));
  const [service, ...others] = await meant(services, name, options);
  if (service === undefined) {
    const hint = `\`sealane service list${domainWords(options)}\` shows those that are there`;
    throw new CommandError('ERR_SEALANE_NO_SERVICE', EXIT.notFound, `no service ${name}`, hint);
  }
  if (others.length > 0) {
    const users = [service, ...others].map(({ creator }) => field(creator)).join(', ');
    throw usageError(
      `the users ${users} have each a service ${name}`,
      'say with --allow-user whose is meant',
    );
  }
  if (terminal.json) terminal.writeJson(service);
  else printFacts(factsOf(service, terminal), terminal);
}

/** Those that live under this name, of the users that are meant. */
async function meant(
  services: readonly ListedService[],
  name: string,
  { allowUser }: InspectOptions,
): Promise<ListedService[]> {
  const found = services.filter((each) => each.name === name && each.alive);
  if (allowUser === undefined) return found;
  const users = await Promise.all(allowUser.map(userId));
  return found.filter(({ creator }) => creator !== undefined && users.includes(creator));
}

async function userId(text: string): Promise<number> {
  const account = toAccount(text);
  // An id needs no account: files of users who are gone still have it.
  const id = typeof account === 'number' ? account : await findId('user', account);
  if (id === undefined) throw usageError(`no user ${text} on this machine`, 'give a name or an id');
  return id;
}

function stateOf({ alive, closed }: ListedService): string {
  if (closed) return 'closed';
  return alive ? 'alive' : 'dead';
}

function countOf({ ports }: ListedService, kind: PortInfo['kind']): number {
  return ports.filter((port) => port.kind === kind).length;
}

/** The kinds of its ports: of those that send, and of those that receive. */
function kindsOf({ messaging }: ListedService): readonly [PortInfo['kind'], PortInfo['kind']] {
  return messaging === 'event' ? ['notifier', 'listener'] : ['publisher', 'subscriber'];
}

/** What its samples are like, where it has any. */
function samplesOf(service: ListedService): Partial<ServiceSettings> {
  return service.messaging === 'publish-subscribe' ? service.settings : {};
}

function printLines(services: readonly ListedService[], shared: boolean, { out }: Terminal): void {
  for (const service of services) out.line(toLine(service, shared));
}

/** Names are not unique in a domain of several users: their users tell them apart. */
function toLine(service: ListedService, shared: boolean): string {
  return [
    stateOf(service),
    `nodes=${service.nodes.length}`,
    ...kindsOf(service).map((kind) => `${kind}s=${countOf(service, kind)}`),
    samplesOf(service).maxBytes ?? '-',
    ...(shared ? [`user=${field(service.creator)}`] : []),
    field(service.name),
  ].join('\t');
}

function printTable(services: readonly ListedService[], { out }: Terminal): void {
  const rows = services.map((service) => {
    const { problem } = service;
    const { maxBytes, bufferSize, history, overflow } = samplesOf(service);
    const counts = [service.nodes.length, ...kindsOf(service).map((kind) => countOf(service, kind))];
    return [
      ...[stateOf(service), service.creator === undefined ? '' : String(service.creator)],
      ...[field(service.messaging), ...counts.map(String)],
      maxBytes === undefined ? '-' : formatBytes(maxBytes),
      ...[field(bufferSize), field(history)],
      overflow === undefined ? '-' : yesOrNo(overflow),
      ...[problem === undefined ? '' : field(problem), field(service.name ?? service.folder)],
    ];
  });
  for (const line of renderTable(COLUMNS, rows, out.layout)) out.line(line);
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function factsOf(service: ListedService, { out }: Terminal): Fact[] {
  const settings = Object.entries(service.settings ?? {});
  return [
    ['name', field(service.name)],
    ['folder', service.folder],
    ['creator', field(service.creator)],
    ...(service.access === undefined ? [] : [['access', accessText(service.access)] as const]),
    ['kind', field(service.messaging)],
    ...settings.map(([key, value]): Fact => [`setting.${key}`, String(value)]),
    ...attributeFacts(service.attributes),
    ...service.nodes.map(({ id, state, pid }): Fact => {
      return ['node', [id, coloured(state, out.style), `pid=${field(pid)}`].join('\t')];
    }),
    ...service.ports.map(portFact),
  ];
}

function accessText({ users, groups }: NonNullable<ListedService['access']>): string {
  return `users=${users.join(',') || '-'} groups=${groups.join(',') || '-'}`;
}

function portFact({ kind, node, port, pid, options, problem }: PortInfo): Fact {
  const about = problem === undefined ? optionText(options) : `problem=${field(problem)}`;
  return [kind, [`${node}:${port}`, `pid=${field(pid)}`, about].join('\t')];
}
