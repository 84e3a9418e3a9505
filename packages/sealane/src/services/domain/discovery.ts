/**
 * Tells what appears in a domain and vanishes from it: nodes and services, or the nodes and ports of one service. Watches first, then
 * looks. Owns what it has told. Trusts the names of files where nobody but this user can make them; in a shared domain it asks whose they
 * are. What is in them it does not read.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { closedError, isSealaneError } from '../../base/errors.js';
import type { Domain } from './domain.js';
import { listFolder } from './files.js';
import { type FolderHub, folderHub, type Watched } from './folder-hub.js';
import { isNodeId, nodeOfFile, parsePortFileName } from './names.js';
import { directoryOwner, entryOwner } from './shared-files.js';

/** Something appeared or vanished. */
export interface Change {
  readonly what: 'appeared' | 'vanished';
  /** The name of the file: the id of a node (`0123456789abcdef`), or that of a port (`0123456789abcdef-00000001.pub`). */
  readonly name: string;
}

/** A node or service appeared in a domain, or vanished. */
export interface DomainChange {
  readonly what: 'appeared' | 'vanished';
  readonly kind: 'node' | 'service';
  /** The id of the node, or the folder of the service (20 hexadecimal digits of the SHA-256 of its name). */
  readonly name: string;
}

/** Names in one folder of one user that are told: more than an honest one has, and few enough to try all of them again and again. */
const MAX_NAMES_OF_USER = 1_024;

/** What users have in a folder. A name counts by whom it is of; of one user there may be so many. */
class Quota {
  readonly #users = new Map<string, number>();
  readonly #counts = new Map<number, number>();

  /** `userOf`: undefined: the name does not count. */
  constructor(private readonly userOf: (name: string) => number | undefined) {}

  /** Whether a name is to be told. */
  take(name: string): boolean {
    const user = this.userOf(name);
    const count = user === undefined ? MAX_NAMES_OF_USER : (this.#counts.get(user) ?? 0);
    if (user === undefined || count >= MAX_NAMES_OF_USER) return false;
    this.#users.set(name, user);
    this.#counts.set(user, count + 1);
    return true;
  }

  giveBack(name: string): void {
    const user = this.#users.get(name);
    if (user === undefined) return;
    this.#users.delete(name);
    this.#counts.set(user, (this.#counts.get(user) ?? 1) - 1);
  }
}

/** What is in one folder, as far as it was told. */
class FolderWatch implements Watched, Disposable {
  readonly #known = new Set<string>();
  readonly #hub: FolderHub;
  #closed = false;

  constructor(
    readonly folder: string,
    /** What a file's name stands for; undefined: it is not told of. */
    private readonly nameOf: (file: string) => string | undefined,
    private readonly listener: (change: Change) => void,
    /** Where several users make files. */
    private readonly quota?: Quota,
  ) {
    this.#hub = folderHub();
    this.#hub.join(this);
  }

  get fd(): number | undefined {
    return this.#hub.fd;
  }

  serve(): void {
    if (this.#closed) throw closedError('the watch');
    this.#hub.serve();
  }

  scan(): void {
    if (this.#closed) throw closedError('the watch');
    this.look();
  }

  look(): boolean {
    const names = readNames(this.folder, this.nameOf);
    if (names === undefined) return false;
    for (const name of [...this.#known]) if (!names.has(name)) this.#tell('vanished', name);
    for (const name of names) this.#tell('appeared', name);
    return true;
  }

  /** A look may have told what happened since, so that what appeared then need not be there now. */
  change(what: 'appeared' | 'vanished', file: string): void {
    const name = this.nameOf(file);
    if (name === undefined) return;
    if (what === 'vanished') this.#tell('vanished', name);
    if (!this.#known.has(name) && exists(join(this.folder, file))) this.#tell('appeared', name);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hub.leave(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What was told already is not told again. */
  #tell(what: 'appeared' | 'vanished', name: string): void {
    if (this.#closed || this.#known.has(name) === (what === 'appeared')) return;
    if (what === 'appeared') {
      if (this.quota?.take(name) === false) return;
      this.#known.add(name);
    } else {
      this.quota?.giveBack(name);
      this.#known.delete(name);
    }
    this.listener({ what, name });
  }
}

/**
 * Tells of the nodes and ports of one service. What is there already is told before the constructor returns. The event loop serves it,
 * without being kept alive; an owner whose event loop does not turn calls serve(). All methods but close() throw ERR_SEALANE_CLOSED
 * once closed.
 */
export class ServiceWatch implements Disposable {
  readonly #watch: FolderWatch;

  /**
   * `folder` is that of the service. `listener` must not throw; it may close the watch, and open others, but hears nothing of what it
   * causes before it returns. A folder that does not exist is watched for all the same. Of `domain`, if it is a shared one, only names
   * count that are of the user whose node they name.
   */
  constructor(folder: string, listener: (change: Change) => void, domain?: Domain) {
    const quota = domain?.shared && new Quota((name) => entryOwner(domain, folder, name));
    this.#watch = new FolderWatch(folder, nameInService, listener, quota);
  }

  /** Readable when there is something to serve; undefined where folders are polled every 100 ms. One for all watches of a thread. */
  get fd(): number | undefined {
    return this.#watch.fd;
  }

  /** Looks into the folder, and tells what is not as it was told. */
  scan(): void {
    this.#watch.scan();
  }

  /** Tells what happened, as the event loop would, to all watches of this thread. */
  serve(): void {
    this.#watch.serve();
  }

  /** Ends it: nothing more is told. Idempotent. */
  close(): void {
    this.#watch.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Tells of the nodes and services of a domain; else as {@link ServiceWatch}. */
export class DomainWatch implements Disposable {
  readonly #nodes: FolderWatch;
  readonly #services: FolderWatch;

  /** `listener` as that of {@link ServiceWatch}. */
  constructor(domain: Domain, listener: (change: DomainChange) => void) {
    const tell = (kind: 'node' | 'service') => (change: Change) => listener({ ...change, kind });
    const shared = domain.shared !== undefined;
    const quota = (folder: string) =>
      shared ? new Quota((name) => directoryOwner(join(folder, name))) : undefined;
    const { nodes, services } = domain;
    const nodeOf = shared ? nodeOfDirectory : nodeOfSocket;
    const serviceOf = (file: string) => (domain.isServiceFolder(file) ? file : undefined);
    this.#nodes = new FolderWatch(nodes, nodeOf, tell('node'), quota(nodes));
    this.#services = new FolderWatch(services, serviceOf, tell('service'), quota(services));
  }

  /** See {@link ServiceWatch.fd}. */
  get fd(): number | undefined {
    return this.#nodes.fd;
  }

  /** Looks into the folders, and tells what is not as it was told. */
  scan(): void {
    this.#nodes.scan();
    this.#services.scan();
  }

  /** See {@link ServiceWatch.serve}. */
  serve(): void {
    this.#nodes.serve();
  }

  /** Ends it: nothing more is told. Idempotent. */
  close(): void {
    this.#nodes.close();
    this.#services.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }
}

function readNames(folder: string, nameOf: (file: string) => string | undefined): Set<string> | undefined {
  try {
    return new Set(
      listFolder(folder)
        .map(nameOf)
        .filter((name) => name !== undefined),
    );
  } catch (error) {
    if (isSealaneError(error)) return undefined;
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function nameInService(file: string): string | undefined {
  return isNodeId(file) || parsePortFileName(file) !== undefined ? file : undefined;
}

/** A node is there once its socket is. */
function nodeOfSocket(file: string): string | undefined {
  return file.endsWith('.sock') ? nodeOfFile(file) : undefined;
}

/** In a shared domain a node's directory appears once its socket is in it. */
function nodeOfDirectory(file: string): string | undefined {
  return isNodeId(file) ? file : undefined;
}
