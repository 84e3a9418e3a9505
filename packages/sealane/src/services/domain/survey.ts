/**
 * What tools and people see of a domain: all its nodes and services as plain values. Owns nothing, makes nothing; what the dead left is
 * removed on the way, where nobody holds the lock. Trusts no file: one that can't be read is told with its problem.
 */
import { checkOptions } from '../../base/check.js';
import type { Access } from './access.js';
import type { Attributes } from './attributes.js';
import type { ServiceDefinition } from './definition.js';
import { Domain } from './domain.js';
import type { EventSettings } from './event-settings.js';
import { listNodes as listNodesOf, listServices as listServicesOf, type ServiceListing } from './listing.js';
import type { NodeState } from './node-files.js';
import type { PortInfo } from './port-files.js';
import type { ServiceSettings } from './settings.js';

/** Which domain is looked at. */
export interface SurveyOptions {
  /** As of {@link NodeOptions}. Default: `default`. */
  readonly domain?: string | undefined;
  /** Where domains lie. Default: as of {@link NodeOptions}. */
  readonly directory?: string | undefined;
  /** As of {@link NodeOptions}. */
  readonly sharedDirectory?: string | undefined;
}

/** A node of a domain, as it was found. */
export interface ListedNode {
  /** 16 hexadecimal digits; no other node has or had them. */
  readonly id: string;
  /**
   * `alive`: its process listens. `starting`: it is being made. `dead`: its process ended without closing it; its files are removed by
   * now, or by the next who meets it.
   */
  readonly state: NodeState;
  /** Its process: as the kernel says while it lives, else as it said of itself; undefined when neither is known. */
  readonly pid: number | undefined;
  /** What follows is what it says of itself: undefined, or empty, when `problem` tells why that can't be read. */
  readonly name: string | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly startedAt: Date | undefined;
  readonly attributes: Attributes;
  readonly problem: string | undefined;
}

/** A node that has a service open. */
export interface ListedParticipant {
  readonly id: string;
  readonly state: NodeState;
  /** As the kernel says; undefined when it is not alive, or outside this pid namespace. */
  readonly pid: number | undefined;
}

/** The kind of a service, and what its creator defined: undefined when `problem` tells why that can't be read. */
export type ListedKind =
  | { readonly messaging: 'publish-subscribe'; readonly settings: ServiceSettings }
  | { readonly messaging: 'event'; readonly settings: EventSettings }
  | { readonly messaging: undefined; readonly settings: undefined };

/** A service of a domain, as it was found. */
export type ListedService = ListedKind & {
  /** Its folder in the domain, 20 hexadecimal digits that follow from its name; in a shared domain a hyphen and 8 random ones more. */
  readonly folder: string;
  /** The user who created it, as the kernel says; undefined when it is gone. */
  readonly creator: number | undefined;
  /** Whether this user may not look into it, in a shared domain: then nothing else is known, not even whether it is alive. */
  readonly closed: boolean;
  /** Whom it lets in beside its creator; undefined: everybody in the domain, or `problem` tells why that can't be read. */
  readonly access: Access | undefined;
  /** What its creator defined: undefined, or empty, when `problem` tells why that can't be read. */
  readonly name: string | undefined;
  readonly attributes: Attributes;
  readonly problem: string | undefined;
  /** Whether a living node has it open. One that none has is gone by now, or as soon as somebody meets it. */
  readonly alive: boolean;
  readonly nodes: readonly ListedParticipant[];
  /** Its ports, with the options that each chose. */
  readonly ports: readonly PortInfo[];
};

/**
 * All nodes of a domain, by id; none where there is no such domain, which is not made. Rejects with ERR_SEALANE_INVALID_ARGUMENT,
 * ERR_SEALANE_UNSAFE_DIRECTORY, ERR_SEALANE_ACCESS_DENIED (a shared domain of others), ERR_SEALANE_SYSTEM.
 */
export async function listNodes(options: SurveyOptions = {}): Promise<ListedNode[]> {
  const domain = find(options);
  return domain === undefined ? [] : listNodesOf(domain).map(toNode);
}

/** All services of a domain, by name; none where there is no such domain. Rejects as {@link listNodes}. */
export async function listServices(options: SurveyOptions = {}): Promise<ListedService[]> {
  const domain = find(options);
  return domain === undefined ? [] : listServicesOf(domain).map(toService);
}

function find(options: SurveyOptions): Domain | undefined {
  checkOptions('options', options, ['domain', 'directory', 'sharedDirectory']);
  const { domain, directory, sharedDirectory } = options;
  return Domain.find({ name: domain, directory, sharedDirectory });
}

function toNode({ id, state, pid, info, problem }: ReturnType<typeof listNodesOf>[number]): ListedNode {
  return {
    id,
    state,
    pid: known(pid) ?? info?.pid,
    name: info?.name,
    uid: info?.uid,
    gid: info?.gid,
    startedAt: info === undefined ? undefined : new Date(Number(info.startedNs / 1_000_000n)),
    attributes: info?.attributes ?? {},
    problem,
  };
}

function toService({
  folder,
  creator,
  closed,
  definition,
  problem,
  nodes,
  ports,
}: ServiceListing): ListedService {
  return {
    folder,
    creator,
    closed,
    access: definition?.access,
    name: definition?.name,
    ...kindOf(definition),
    attributes: definition?.attributes ?? {},
    problem,
    alive: nodes.some(({ state }) => state !== 'dead'),
    nodes: nodes.map(({ id, state, pid }) => ({ id, state, pid: known(pid) })),
    ports,
  };
}

function kindOf(definition: ServiceDefinition | undefined): ListedKind {
  const { messaging, settings } = definition ?? { messaging: undefined, settings: undefined };
  return { messaging, settings } as ListedKind;
}

/** The kernel's pid 0 stands for none. */
function known(pid: number): number | undefined {
  return pid === 0 ? undefined : pid;
}
