/**
 * Services that one node has open: creating, opening and leaving them, all under the lock of the domain. Owns the node's files in their
 * folders; the last node to leave a service removes it. What other programs wrote is checked before it counts.
 */
import { lstatSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.js';
import { closedError, describe, invalidArgument, isSealaneError, SealaneError } from '../../base/errors.js';
import { type Access, type AccessOptions, checkAccess, ownUser } from './access.js';
import {
  type Attributes,
  checkAttributes,
  checkRequiredAttributes,
  type RequiredAttributes,
  requireAttributes,
} from './attributes.js';
import { readDefinition, requireMessaging, type ServiceDefinition, writeDefinition } from './definition.js';
import type { Domain } from './domain.js';
import { ASIDE, attempt, listFolder, removeEntry, writeNew } from './files.js';
import { Gate } from './gate.js';
import {
  MESSAGINGS,
  type Messaging,
  type MessagingName,
  type PortLimit,
  portLimit,
  type SettingsOf,
} from './messaging.js';
import { checkName, isNodeId, nodeOfEntry, type PortKind } from './names.js';
import {
  announcePort,
  listPorts,
  type PortAnnouncement,
  type PortInfo,
  type PortOptions,
} from './port-files.js';
import { listEntries, removeOwnDirectory } from './shared-files.js';
import { type FoundService, findShared, newSharedFolder, openFolder } from './shared-services.js';
import { Census, removeEntries, removeLeftoversLocked, removeServiceLocked, sweepLocked } from './sweep.js';

/** What the creator of a service defines. */
export interface ServiceCreation<M extends MessagingName> {
  readonly settings?: Partial<SettingsOf[M]> | undefined;
  readonly attributes?: Attributes | undefined;
  /** Only in a shared domain. */
  readonly access?: AccessOptions | undefined;
}

/** What an opener requires. */
export interface ServiceRequirements<M extends MessagingName> {
  readonly settings?: Partial<SettingsOf[M]> | undefined;
  readonly attributes?: RequiredAttributes | undefined;
  /** Only in a shared domain: whom the node lets in, of those whom the service lets in; and whose services count. */
  readonly access?: AccessOptions | undefined;
}

/** What a service requires, checked. */
interface Requirements<M extends MessagingName> {
  readonly messaging: Messaging<M>;
  readonly settings: Partial<SettingsOf[M]>;
  readonly attributes: RequiredAttributes;
  readonly access: Access | undefined;
}

/** A service as one node has it open; its handles are counted. */
interface Participation extends FoundService {
  handles: number;
}

/** How long the lock of a shared domain is waited for by who leaves. */
const SHARED_LEAVE_MS = 500;

/** The services that one living node has open. */
export class NodeServices implements Disposable {
  readonly #open = new Map<string, Participation>();
  #closed = false;

  /** `node` is published in the domain, and lives as long as this. */
  constructor(
    readonly domain: Domain,
    readonly node: string,
  ) {}

  /**
   * Creates a service and opens it. Throws ERR_SEALANE_SERVICE_EXISTS when a living node has one of this name open,
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_TIMEOUT, ERR_SEALANE_SYSTEM.
   */
  create<M extends MessagingName>(
    messaging: Messaging<M>,
    name: string,
    given: ServiceCreation<M> = {},
  ): OpenService<M> {
    const definition = define(messaging, name, given, this.#access(given));
    return this.#locked(() => {
      if (this.#open.has(name) || this.#find(name, definition.access) !== undefined) throw exists(name);
      return this.#make(definition);
    });
  }

  /**
   * Opens a service that exists. Throws ERR_SEALANE_NO_SERVICE when no living node has one of this name open, ERR_SEALANE_SETTINGS_MISMATCH
   * when it is not as required, ERR_SEALANE_LIMIT_EXCEEDED when as many nodes have it open as it allows, or this Node.js can't hold its
   * pools; ERR_SEALANE_PROTOCOL when its file is not as it must be; and as {@link create}.
   */
  open<M extends MessagingName>(
    messaging: Messaging<M>,
    name: string,
    given: ServiceRequirements<M> = {},
  ): OpenService<M> {
    const required = demand(messaging, name, given, this.#access(given));
    return this.#locked(() => {
      const found = this.#existing(name, required.access);
      if (found === undefined) throw missing(name);
      return this.#join(found, required);
    });
  }

  /** Opens a service that exists, or creates it: exactly one of several that do so at once creates. Throws as both. */
  openOrCreate<M extends MessagingName>(
    messaging: Messaging<M>,
    name: string,
    given: ServiceCreation<M> = {},
  ): OpenService<M> {
    const required = demand(messaging, name, given, this.#access(given));
    return this.#locked(() => {
      const found = this.#existing(name, required.access);
      if (found === undefined) return this.#make(define(messaging, name, given, required.access));
      return this.#join(found, required);
    });
  }

  /** Leaves all services. Idempotent; never throws. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave([...this.#open.values()]);
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #locked<T>(action: () => T): T {
    if (this.#closed) throw closedError('the node');
    return this.domain.locked(action);
  }

  /** Looked up before the lock is taken: a directory of users may be far away. */
  #access({ access }: { readonly access?: AccessOptions | undefined }): Access | undefined {
    if (access !== undefined && this.domain.shared === undefined)
      throw invalidArgument(
        'access',
        'be left out: nobody but its user enters a domain that is not shared',
        access,
      );
    return checkAccess(access);
  }

  #existing(name: string, wanted: Access | undefined): FoundService | undefined {
    return this.#open.get(name) ?? this.#find(name, wanted);
  }

  /** The service that others have open. Removes what the dead left of it. */
  #find(name: string, wanted: Access | undefined): FoundService | undefined {
    if (this.domain.shared !== undefined)
      return findShared(this.domain, name, wanted, new Census(this.domain, this.node));
    const folder = this.domain.serviceFolder(name);
    removeLeftoversLocked(this.domain, folder);
    const stats = attempt(`looking at ${folder}`, () => lstatSync(folder, { throwIfNoEntry: false }));
    if (stats === undefined) return undefined;
    if (!stats.isDirectory()) removeEntry(folder);
    else if (this.#settle(folder))
      return { definition: readDefinition(folder, name), folder, creator: undefined };
    return undefined;
  }

  /**
   * Whether a living node takes part; otherwise the service is removed. So are the dead that are met, and files of nodes that don't
   * take part.
   */
  #settle(folder: string): boolean {
    const names = listEntries(this.domain, folder);
    const nodes = new Set(names.filter(isNodeId));
    const census = new Census(this.domain, this.node);
    const used = [...nodes].some((node) => census.isAlive(node));
    if (used) removeEntries(this.domain, folder, names, strangers(names, nodes));
    else removeServiceLocked(this.domain, folder);
    sweepLocked(this.domain, [], census);
    return used;
  }

  #make<M extends MessagingName>(definition: ServiceDefinition<M>): OpenService<M> {
    const { shared, files } = this.domain;
    const { name, access } = definition;
    const folder =
      shared === undefined ? this.domain.serviceFolder(name) : newSharedFolder(this.domain, name);
    const aside = folder + ASIDE;
    try {
      attempt(`making ${folder}`, () => mkdirSync(aside, { mode: 0o700 }));
      writeDefinition(aside, definition, files);
      writeNew(join(aside, this.node), undefined, files);
      if (shared !== undefined) openFolder(aside, shared, access);
      attempt(`making ${folder}`, () => renameSync(aside, folder));
    } catch (error) {
      if (shared === undefined) removeEntry(aside);
      else removeOwnDirectory(aside);
      throw error;
    }
    const creator = shared && ownUser();
    return this.#handle({ definition, folder, creator, handles: 0 }, definition, access);
  }

  #join<M extends MessagingName>(found: FoundService, required: Requirements<M>): OpenService<M> {
    const { definition, folder } = found;
    requireMessaging(definition, required.messaging.name);
    const { name, settings, attributes } = definition;
    required.messaging.settings.require(name, settings, required.settings);
    requireAttributes(name, attributes, required.attributes);
    const known = this.#open.get(name);
    if (known !== undefined) return this.#handle(known, definition, required.access);
    this.#requireRoom(definition, folder);
    writeNew(join(folder, this.node), undefined, this.domain.files);
    return this.#handle({ ...found, handles: 0 }, definition, required.access);
  }

  /** The dead are looked for only when there seems to be no room. */
  #requireRoom({ name, settings: { maxNodes } }: ServiceDefinition, folder: string): void {
    const nodes = () => listEntries(this.domain, folder).filter(isNodeId);
    if (nodes().length < maxNodes) return;
    const census = new Census(this.domain, this.node);
    sweepLocked(this.domain, nodes(), census);
    // In a shared domain some of the dead stay.
    const count = nodes().filter((node) => census.isAlive(node)).length;
    if (count < maxNodes) return;
    const message = `${count} nodes have the service ${describe(name)} open, and its setting maxNodes allows ${maxNodes}`;
    throw new SealaneError(
      'ERR_SEALANE_LIMIT_EXCEEDED',
      `${message}: let one close it, or its creator define more`,
    );
  }

  #handle<M extends MessagingName>(
    participation: Participation,
    definition: ServiceDefinition<M>,
    wanted: Access | undefined,
  ): OpenService<M> {
    this.#open.set(definition.name, participation);
    participation.handles += 1;
    const release = () => this.#release(participation);
    const { folder, creator } = participation;
    const gate = new Gate(this.domain, { creator, access: definition.access, wanted });
    return new OpenService(this.domain, this.node, definition, folder, gate, release);
  }

  #release(participation: Participation): void {
    assert(participation.handles > 0, 'a service is left more often than it was opened');
    participation.handles -= 1;
    if (participation.handles === 0 && this.#open.has(participation.definition.name))
      this.#leave([participation]);
  }

  /**
   * Without the lock where that can't be had: what then stays of a service that nobody has open is removed by the next to see it. Another
   * user who holds the lock of a shared domain must not keep many services from being left.
   */
  #leave(participations: readonly Participation[]): void {
    for (const { definition } of participations) this.#open.delete(definition.name);
    const withdraw = () => {
      for (const { folder } of participations)
        removeEntries(this.domain, folder, listFolder(folder), new Set([this.node]));
    };
    const leave = () => {
      withdraw();
      for (const { folder } of participations) this.#settle(folder);
    };
    const timeoutMs = this.domain.shared && SHARED_LEAVE_MS;
    if (participations.length > 0 && !succeeds(() => this.domain.locked(leave, timeoutMs)))
      succeeds(withdraw);
  }
}

/** A service that is open. Each opening has a handle of its own; the node leaves with the last. */
export class OpenService<M extends MessagingName = MessagingName> implements Disposable {
  readonly name: string;
  readonly messaging: M;
  readonly settings: SettingsOf[M];
  readonly attributes: Attributes;
  readonly #release: () => void;
  #closed = false;

  /** @internal */
  constructor(
    readonly domain: Domain,
    readonly node: string,
    definition: ServiceDefinition<M>,
    /** Where its nodes and ports are. */
    readonly folder: string,
    /** Who may be a peer of its ports. */
    readonly gate: Gate,
    release: () => void,
  ) {
    this.name = definition.name;
    this.messaging = definition.messaging;
    this.settings = definition.settings;
    this.attributes = definition.attributes;
    this.#release = release;
  }

  /** How many ports of a kind it may have. */
  limitOf(kind: PortKind): PortLimit {
    return portLimit(MESSAGINGS[this.messaging], this.settings, kind);
  }

  /**
   * Announces a port of this node. `port` is a number that this node has not used before, up to 2^32 - 1. Throws ERR_SEALANE_LIMIT_EXCEEDED,
   * naming the setting, when the service has as many living ones of its kind as it allows; ERR_SEALANE_CLOSED,
   * ERR_SEALANE_TIMEOUT, ERR_SEALANE_SYSTEM.
   */
  announcePort(kind: PortKind, port: number, options: PortOptions = {}): PortAnnouncement {
    if (this.#closed) throw closedError(`the service ${describe(this.name)}`);
    return announcePort(this, { node: this.node, port, kind }, options);
  }

  /** The ports of all nodes, also of some that died and were not met yet. Throws ERR_SEALANE_SYSTEM. */
  listPorts(): PortInfo[] {
    return listPorts(this.domain, this.folder);
  }

  /** Leaves the service, unless this node has it open once more. Withdraw ports before. Idempotent; never throws. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

function define<M extends MessagingName>(
  messaging: Messaging<M>,
  name: string,
  given: ServiceCreation<M>,
  access: Access | undefined,
): ServiceDefinition<M> {
  checkName('name', name);
  return {
    name,
    messaging: messaging.name,
    settings: messaging.settings.complete(given.settings),
    attributes: checkAttributes(given.attributes),
    access,
  };
}

function demand<M extends MessagingName>(
  messaging: Messaging<M>,
  name: string,
  given: ServiceRequirements<M>,
  access: Access | undefined,
): Requirements<M> {
  checkName('name', name);
  return {
    messaging,
    settings: messaging.settings.check(given.settings ?? {}),
    attributes: checkRequiredAttributes(given.attributes),
    access,
  };
}

/** Whether the action does not fail for what the system or a limit refuses. */
function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (isSealaneError(error)) return false;
    throw error;
  }
}

/** Nodes that have files in the folder and don't take part. */
function strangers(names: readonly string[], nodes: ReadonlySet<string>): Set<string> {
  const owners = names.map(nodeOfEntry).filter((node) => node !== undefined);
  return new Set(owners.filter((node) => !nodes.has(node)));
}

function exists(name: string): SealaneError {
  const message = `the service ${describe(name)} exists already: open it, or open or create it`;
  return new SealaneError('ERR_SEALANE_SERVICE_EXISTS', message);
}

function missing(name: string): SealaneError {
  const message = `there is no service ${describe(name)} in this domain: create it first, or open or create it`;
  return new SealaneError('ERR_SEALANE_NO_SERVICE', message);
}
