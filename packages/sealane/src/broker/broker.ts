/**
 * The broker: keeps descriptors of sealed memfds and hands them out. It never maps or copies their bytes, and reads them only to
 * compute digests. One thread, one event loop, nothing on disk but its socket and lock.
 * Owns and assembles the parts. Trusts the kernel: seals, credentials.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closedError, invalidArgument } from '../base/errors.js';
import packageFolder from '../base/package-folder.cjs';
import type { SocketKind } from '../os/unix-socket.js';
import { AuditLog } from './audit/index.js';
import { type Authority, UserAuthority } from './authority.js';
import { Backlogs } from './backlog.js';
import { Closer } from './closer.js';
import { DigestScheduler } from './digests.js';
import { Flights } from './flights.js';
import { Admission } from './identity.js';
import { Listener } from './listener.js';
import { MemfdbusListener } from './memfdbus/index.js';
import {
  type BrokerOptions,
  type BrokerSettings,
  descriptorsOfProcess,
  limitsOf,
  settle,
} from './options.js';
import { type ListeningSocket, PassedSocketPublication } from './passed-socket.js';
import { checkPolicy, type PolicyOptions } from './policy/options.js';
import { Policy } from './policy/policy.js';
import { Probe } from './probe.js';
import { Publication } from './publication.js';
import { Quota } from './quota.js';
import type { BrokerStatus, Services } from './services.js';
import { Store } from './store.js';
import { Watches } from './watches.js';
import { FairWork } from './work.js';

/** Waiting descriptors for each connection that is allowed, above which slow clients are read no further. */
const BACKLOG_DESCRIPTORS_PER_CONNECTION = 2;

/** The services, as the one who assembles them may change them. */
type Assembled = { -readonly [Part in keyof Services]: Services[Part] };

/** A socket in the file system: one that the broker publishes, or one that was passed. */
type Place = Publication | PassedSocketPublication;

/** The version of this package, told to those who ask for the status. */
const VERSION = readVersion();

/** A broker in this process. It keeps the process alive until it is stopped. */
export class Broker implements AsyncDisposable {
  readonly #publication: Place;
  readonly #listener: Listener;
  readonly #memfdbusPublication: Place | undefined;
  readonly #memfdbusListener: MemfdbusListener | undefined;
  readonly #admission: Admission;
  readonly #services: Assembled;
  readonly #startedMs = performance.now();
  #probe: Probe | undefined;
  #stopped: Promise<void> | undefined;

  private constructor(
    settings: BrokerSettings,
    audit: AuditLog | undefined,
    publication: Place,
    memfdbus: Place | undefined,
  ) {
    this.#publication = publication;
    this.#memfdbusPublication = memfdbus;
    this.#admission = Admission.ofThisProcess(settings.users);
    const authority = authorityOf(this.#admission, settings.policy);
    this.#services = assemble(settings, authority, audit, (uid) => this.#statusFor(uid));
    this.#listener = new Listener(this.#services, publication.socket);
    this.#memfdbusListener = memfdbus && new MemfdbusListener(this.#services, memfdbus.socket);
  }

  /**
   * Starts a broker: when the promise resolves, clients can connect. Throws ERR_SEALANE_INVALID_ARGUMENT for options, a path or
   * a passed socket that can't be used, or limits that RLIMIT_NOFILE can't hold; ERR_SEALANE_BROKER_RUNNING when another broker serves a socket;
   * ERR_SEALANE_UNSAFE_DIRECTORY for a runtime directory that others can write; ERR_SEALANE_UNSUPPORTED_PLATFORM; ERR_SEALANE_SYSTEM.
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const settings = settle(options);
    const publication = publish('options.socket', options.socket, settings, 'packet');
    let memfdbus: Place | undefined;
    try {
      if (options.memfdbusSocket !== undefined)
        memfdbus = publish('options.memfdbusSocket', options.memfdbusSocket, settings, 'stream');
      const audit = options.audit && new AuditLog(options.audit);
      return new Broker(settings, audit, publication, memfdbus);
    } catch (error) {
      memfdbus?.close();
      publication.close();
      throw error;
    }
  }

  /** The path of the socket; of one that was passed, the path that it was bound to. */
  get socket(): string {
    return this.#publication.path;
  }

  /** The path of the socket for memfdbus clients; undefined when there is none. */
  get memfdbusSocket(): string | undefined {
    return this.#memfdbusPublication?.path;
  }

  /** How the broker is: counts of all users, and its limits. */
  status(): BrokerStatus {
    return this.#status(undefined);
  }

  /**
   * Asks the broker something over a connection of its own, and resolves when it has answered: proof for a watchdog that the event
   * loop turns and that requests are served, whatever clients do to the limits. Rejects with ERR_SEALANE_CLOSED once stopped, and
   * with ERR_SEALANE_EXHAUSTED when the first call finds no descriptors for the connection.
   */
  async probe(): Promise<void> {
    if (this.#stopped !== undefined) throw closedError('the broker');
    if (this.#probe === undefined || this.#probe.closed) this.#probe = new Probe(this.#services);
    await this.#probe.ask();
  }

  /**
   * Stops: tells all clients, closes their connections, drops all objects, and removes the socket unless it was passed. What clients
   * hold stays theirs. A client that does not read delays it by a second at most, an audit that nobody takes by two. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Replaces the policy: from now on it decides, also for clients that are connected. Those that it does not admit, or not under
   * their job, are told so and disconnected; objects stay. Throws ERR_SEALANE_INVALID_ARGUMENT, and keeps the policy that there is,
   * for one that is malformed, and for a broker that was started without any: its users are apart.
   */
  setPolicy(policy: PolicyOptions): void {
    checkPolicy('policy', policy);
    if (this.#services.settings.policy === undefined)
      throw invalidArgument('policy', 'be given when the broker starts, to be replaced later', policy);
    this.#services.authority = new Policy(this.#admission, policy);
    this.#listener.reauthorize();
    this.#memfdbusListener?.reauthorize();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const { store, work, digests, closer, audit } = this.#services;
    this.#probe?.close();
    const connectionsClosed = this.#listener.close();
    // Who comes now finds no broker, not one that is about to end. The lock is kept until everything is closed.
    this.#publication.retract();
    this.#memfdbusListener?.close();
    this.#memfdbusPublication?.retract();
    await connectionsClosed;
    work.close(closedError('the broker'));
    await digests.idle();
    store.close();
    await closer.idle();
    await audit?.close();
    this.#publication.close();
    this.#memfdbusPublication?.close();
  }

  /** For a client: the broker's own user sees all of it, others their part. */
  #statusFor(uid: number): BrokerStatus {
    return this.#status(uid === this.#admission.ownUid ? undefined : uid);
  }

  #status(uid: number | undefined): BrokerStatus {
    const { store, quota, limits } = this.#services;
    return {
      objects: uid === undefined ? store.count() : quota.used(uid).objects,
      bytes: quota.used(uid).bytes,
      connections: this.#listener.connections(uid) + (this.#memfdbusListener?.connections(uid) ?? 0),
      watches: this.#listener.watches(uid),
      uptimeMs: Math.floor(performance.now() - this.#startedMs),
      pid: process.pid,
      version: VERSION,
      limits,
    };
  }
}

function publish(
  what: string,
  socket: string | ListeningSocket | undefined,
  { backlog, users, policy }: BrokerSettings,
  kind: SocketKind,
): Place {
  if (typeof socket === 'object') return PassedSocketPublication.open(what, socket, kind);
  return Publication.open(socket, backlog, users.length > 0 || policy !== undefined, kind);
}

function authorityOf(admission: Admission, policy: PolicyOptions | undefined): Authority {
  return policy === undefined ? new UserAuthority(admission) : new Policy(admission, policy);
}

function assemble(
  settings: BrokerSettings,
  authority: Authority,
  audit: AuditLog | undefined,
  status: Services['status'],
): Assembled {
  const quota = new Quota(settings);
  const closer = new Closer();
  const store = new Store(quota, closer);
  const work = new FairWork();
  return {
    settings,
    limits: limitsOf(settings),
    authority,
    quota,
    closer,
    store,
    work,
    watches: new Watches(),
    digests: new DigestScheduler((content, digest) => store.setDigest(content, digest)),
    backlogs: new Backlogs(settings.maxConnections * BACKLOG_DESCRIPTORS_PER_CONNECTION),
    audit,
    flights: new Flights(descriptorsOfProcess()),
    status,
  };
}

/** The version of this package. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
  return String((manifest as { version?: unknown }).version);
}
