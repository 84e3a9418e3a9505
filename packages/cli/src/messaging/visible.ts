/**
 * What a look at a domain can know: nodes of other users, and those that have just come, tell nothing, and what only they know is not
 * nothing. Pure.
 */
import type { ObservedDomain, ObservedPort, ObservedService, PortKind } from 'sealane';

const SENDERS: readonly PortKind[] = ['publisher', 'notifier'];
const RECEIVERS: readonly PortKind[] = ['subscriber', 'listener'];

/** Figures of a service; undefined: all who know it tell nothing. */
export type ServiceFigures = Readonly<
  Record<(typeof BY_SENDERS)[number] | (typeof BY_RECEIVERS)[number] | 'leaked' | 'fill', number | undefined>
>;

const BY_SENDERS = ['sentPerSecond', 'lost', 'lostPerSecond', 'loaned'] as const;
const BY_RECEIVERS = ['receivedPerSecond', 'borrowed'] as const;

/** Ports of a service that send. */
export function sendersOf(ports: readonly ObservedPort[]): ObservedPort[] {
  return ports.filter((port) => SENDERS.includes(roleOf(port)));
}

/** Ports of a service that receive. */
export function receiversOf(ports: readonly ObservedPort[]): ObservedPort[] {
  return ports.filter((port) => RECEIVERS.includes(roleOf(port)));
}

function roleOf(port: ObservedPort): PortKind {
  return port.kind === 'unknown' ? port.role : port.kind;
}

/** What is known of it. Where only some tell, it is the sum over those. */
export function figuresOf(service: ObservedService): ServiceFigures {
  const { ports, leaked, fill } = service;
  const bySenders = tells(sendersOf(ports));
  const byReceivers = tells(receiversOf(ports));
  const entries = [
    ...BY_SENDERS.map((key) => [key, bySenders ? service[key] : undefined]),
    ...BY_RECEIVERS.map((key) => [key, byReceivers ? service[key] : undefined]),
  ];
  const byAny = tells(ports);
  return {
    ...(Object.fromEntries(entries) as Omit<ServiceFigures, 'leaked' | 'fill'>),
    ...(byAny ? { leaked, fill } : { leaked: undefined, fill: undefined }),
  };
}

/** With no ports at all, zero is the truth. */
function tells(ports: readonly ObservedPort[]): boolean {
  return ports.length === 0 || ports.some(({ kind }) => kind !== 'unknown');
}

/** As JSON has it: null is what is not known. */
export function toJson({ nodes, services }: ObservedDomain): Record<string, unknown> {
  const known = services.map((service) => {
    const entries = Object.entries(figuresOf(service)).map(([key, value]) => [key, value ?? null]);
    return { ...service, ...Object.fromEntries(entries) };
  });
  return { nodes, services: known };
}
