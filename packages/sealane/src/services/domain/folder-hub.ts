/**
 * The one inotify instance of a thread, shared by all its watches of folders, since a user has 128. Owns the instance, and the poll and
 * the timer that tell when to look; all end with the last watch. A folder that the kernel can't watch is looked into every 100 ms.
 */
import { isSealaneError } from '../../base/errors.js';
import { Inotify, type InotifyEvent } from '../../os/inotify.js';
import { Watcher } from '../../os/watcher.js';

/** A folder that the hub watches for somebody. */
export interface Watched {
  readonly folder: string;
  /** A name appeared in the folder, or vanished; that may be a while ago. */
  change(what: 'appeared' | 'vanished', name: string): void;
  /** Changes may have gone untold: look into the folder. False: it can't be looked into now, though it is there. */
  look(): boolean;
}

/** How often folders are looked into that nobody tells about: soon for a person, and next to nothing for a core. */
const POLLING_MS = 100;

let current: FolderHub | undefined;

/** The hub of this thread, made when it is first asked for. */
export function folderHub(): FolderHub {
  current ??= new FolderHub();
  return current;
}

/** Watches folders on behalf of all that joined. */
export class FolderHub {
  /** Undefined: none was to be had when the hub was made. */
  readonly #inotify = openInotify();
  readonly #watcher = this.#inotify && watch(this.#inotify, () => this.serve());
  /** Who watches the folder behind each watch of the kernel: one folder is one watch, however many want it. */
  readonly #byWatch = new Map<number, Set<Watched>>();
  readonly #members = new Set<Watched>();
  readonly #polled = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #polledAt = performance.now();
  #serving = false;

  /** Watches the folder from now on, and looks into it. */
  join(watched: Watched): void {
    this.#members.add(watched);
    this.#attach(watched);
  }

  /** Watches it no more; the hub ends with the last. */
  leave(watched: Watched): void {
    this.#members.delete(watched);
    this.#polled.delete(watched);
    for (const [watch, set] of this.#byWatch) {
      if (!set.delete(watched) || set.size > 0) continue;
      this.#byWatch.delete(watch);
      this.#inotify?.unwatch(watch);
    }
    this.#setTimer();
    if (this.#members.size === 0) this.#end();
  }

  /** The descriptor that is readable when there is something to serve; undefined where there is none, and folders are polled. */
  get fd(): number | undefined {
    return this.#inotify === undefined || this.#inotify.closed ? undefined : this.#inotify.fd;
  }

  /**
   * Tells all that happened up to now, to all watches of the thread; a folder that is polled is looked into if its time has come. Nothing
   * from within a listener: what it would tell is told next.
   */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (let events = this.#read(); events !== undefined; events = this.#read()) {
        for (const event of events) this.#tell(event);
      }
      if (this.#polled.size > 0 && performance.now() - this.#polledAt >= POLLING_MS) this.#poll();
    } finally {
      this.#serving = false;
    }
  }

  #read(): InotifyEvent[] | undefined {
    return this.#inotify === undefined || this.#inotify.closed ? undefined : this.#inotify.read();
  }

  #tell({ watch, name, kind }: InotifyEvent): void {
    const set = [...(this.#byWatch.get(watch) ?? [])];
    if (kind === 'overflow') {
      for (const watched of [...this.#members]) this.#look(watched);
    } else if (kind === 'ended') {
      this.#byWatch.delete(watch);
      for (const watched of set) this.#attach(watched);
    } else {
      for (const watched of set) watched.change(kind, name);
    }
  }

  #tick(): void {
    this.#polledAt = Number.NEGATIVE_INFINITY;
    this.serve();
  }

  #poll(): void {
    this.#polledAt = performance.now();
    for (const watched of [...this.#polled]) this.#attach(watched);
  }

  /** Has the kernel watch, then looks: what comes between is told twice, not never. */
  #attach(watched: Watched): void {
    if (!this.#members.has(watched)) return;
    if (this.#watch(watched)) this.#polled.delete(watched);
    else this.#polled.add(watched);
    this.#look(watched);
    this.#setTimer();
  }

  /** What can't be looked into now is tried again. Listeners are called in the look: they may leave, all of them. */
  #look(watched: Watched): void {
    if (!this.#members.has(watched) || watched.look() || !this.#members.has(watched)) return;
    this.#polled.add(watched);
    this.#setTimer();
  }

  /** Whether the kernel watches the folder. Not when it is gone, or there are too many watches (fs.inotify.max_user_watches). */
  #watch(watched: Watched): boolean {
    if (this.#inotify === undefined || this.#inotify.closed) return false;
    try {
      const watch = this.#inotify.watch(watched.folder);
      this.#byWatch.set(watch, (this.#byWatch.get(watch) ?? new Set()).add(watched));
      return true;
    } catch (error) {
      if (isSealaneError(error)) return false;
      throw error;
    }
  }

  #setTimer(): void {
    const wanted = this.#polled.size > 0;
    if (wanted && this.#timer === undefined)
      this.#timer = setInterval(() => this.#tick(), POLLING_MS).unref();
    if (wanted || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #end(): void {
    this.#watcher?.close();
    this.#inotify?.close();
    if (current === this) current = undefined;
  }
}

function openInotify(): Inotify | undefined {
  try {
    return Inotify.open();
  } catch (error) {
    if (isSealaneError(error, 'ERR_SEALANE_EXHAUSTED') || isSealaneError(error, 'ERR_SEALANE_SYSTEM'))
      return undefined;
    throw error;
  }
}

/** It keeps no event loop alive: whoever wants to hear of others has something of its own that does. */
function watch(inotify: Inotify, onReady: () => void): Watcher {
  const watcher = new Watcher(inotify.fd, onReady);
  watcher.want(true, false);
  watcher.unref();
  return watcher;
}
