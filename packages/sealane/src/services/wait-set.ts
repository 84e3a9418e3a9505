/**
 * A WaitSet: one thread waits, blocked, for any of many ports, descriptors, deadlines and intervals. Owns an epoll instance in which
 * those of the nodes are, so that whatever concerns them is served while it waits; ports, nodes and descriptors are borrowed.
 */
import { types } from 'node:util';
import { checkBoolean, checkDescriptor, checkOptions, checkSignal, checkText } from '../base/check.js';
import { abortedError, closedError, invalidArgument, isSealaneError, SealaneError } from '../base/errors.js';
import { MAX_POLL_KEYS, MAX_POLL_MS, Readiness } from '../os/index.js';
import type { Listener } from './events/listener.js';
import type { ControlLoop } from './pairs/control.js';
import { type Waitable, waitableOf } from './pairs/waitable.js';
import type { Subscriber } from './samples/subscriber.js';
import {
  type Attached,
  AttachedDescriptor,
  AttachedInterval,
  AttachedPort,
  type Attachment,
  type DescriptorInterest,
  type Ready,
} from './wait-set-attachment.js';

/** Ports that something is received at, by what they are: {@link WaitSet.attach} takes them. Parts that stand on this one add theirs. */
export interface WaitablePorts {
  readonly subscriber: Subscriber;
  readonly listener: Listener;
}

/** Any of them. */
export type WaitablePort = WaitablePorts[keyof WaitablePorts];

/** How something is attached. */
export interface AttachOptions {
  /** For messages: 1 to 256 bytes. Default: what it is, with its number. */
  readonly name?: string | undefined;
}

/** How a descriptor is attached. */
export interface AttachDescriptorOptions extends AttachOptions, Partial<DescriptorInterest> {
  /** Whether to wait until there is something to read or accept, or the end. Default: true. */
  readonly readable?: boolean;
  /** Whether to wait until there is room to write. Default: false. */
  readonly writable?: boolean;
}

/** How long a set waits. */
export interface WaitOptions {
  /** An empty array is returned after that many milliseconds, 0 to Infinity. Default: Infinity. */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait. The thread is blocked, so only what runs in it meanwhile can abort: no timer, and no message. Whoever is to end the
   * wait from elsewhere attaches a descriptor for that, or terminates the worker.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A control loop of a node that has ports in the set. */
interface NestedLoop {
  readonly key: number;
  ports: number;
}

/** The longest time that can be attached, in milliseconds: about 24.8 days, the longest of all timers here. */
const MAX_MS = 2_147_483_647;

const MAX_NAME_BYTES = 256;

/**
 * Waits for any of many things with the thread blocked: for workers and scripts. Sleeps in slices of 100 ms, in which nothing runs, so a
 * worker that waits can be terminated. Belongs to the thread that made it, as do the ports that are attached; their nodes are served
 * while it waits.
 */
export class WaitSet implements Disposable {
  readonly #readiness = Readiness.open();
  readonly #attachments = new Set<Attached>();
  readonly #descriptors = new Map<number, AttachedDescriptor>();
  readonly #loops = new Map<ControlLoop, NestedLoop>();
  /** What is told of by each key of the readiness. */
  readonly #sources = new Map<number, (readable: boolean, writable: boolean) => void>();
  #nextKey = 0;
  #waiting = false;
  #stopped = false;
  /** What a run has not told its handler of. */
  #reports: Ready[] = [];

  get closed(): boolean {
    return this.#readiness.closed;
  }

  /** How much is attached. */
  get size(): number {
    return this.#attachments.size;
  }

  /**
   * Waits for something to receive at a port. Reported at once as long as something is received between two waits; what is left unread
   * is reported again at most ten times a second. Does not wake for a listener's own `deadlineMs`: see {@link attachDeadline}. Throws
   * ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_CLOSED, ERR_SEALANE_EXHAUSTED.
   */
  attach(port: WaitablePort, options: AttachOptions = {}): Attachment {
    return this.#attachPort(port, Number.POSITIVE_INFINITY, options);
  }

  /**
   * The same, and reports when nothing has come for `ms` milliseconds (1 to 2^31-1), then every `ms` again until something comes.
   * The time begins now, and anew whenever a wait finds that something has come. Throws as attach().
   */
  attachDeadline(port: WaitablePort, ms: number, options: AttachOptions = {}): Attachment {
    checkMs(ms);
    return this.#attachPort(port, ms, options);
  }

  /**
   * Waits for a borrowed descriptor: a pipe, a socket, a device; a file is always ready, and refused. What is added to it is reported at
   * once; what is left of it, ten times a second at most: read until there is no more. Detach it before it is closed: closed while
   * attached it is no longer reported, and nobody may tell. Throws ERR_SEALANE_INVALID_ARGUMENT (also: it is attached already, under this
   * number), ERR_SEALANE_SYSTEM (EBADF; EPERM: a file), ERR_SEALANE_EXHAUSTED, ERR_SEALANE_CLOSED.
   */
  attachDescriptor(fd: number, options: AttachDescriptorOptions = {}): Attachment {
    this.#check();
    checkDescriptor('fd', fd);
    checkOptions('options', options, ['name', 'readable', 'writable']);
    const { readable = true, writable = false } = options;
    checkInterest(readable, writable);
    const name = nameOf(options, `descriptor ${fd}`);
    const attached = this.#watchDescriptor(name, fd, { readable, writable });
    this.#detachFormer(fd);
    this.#descriptors.set(fd, attached);
    this.#sources.set(attached.key, (read, write) => attached.onReady(read, write));
    return this.#add(attached);
  }

  /** Reports every `ms` milliseconds (1 to 2^31-1), from now on. Throws ERR_SEALANE_INVALID_ARGUMENT, ERR_SEALANE_CLOSED. */
  attachInterval(ms: number, options: AttachOptions = {}): Attachment {
    this.#check();
    checkMs(ms);
    checkOptions('options', options, ['name']);
    const name = nameOf(options, `interval of ${ms} ms`);
    return this.#add(new AttachedInterval(name, ms, (attached) => this.#attachments.delete(attached)));
  }

  /**
   * Blocks the thread until something is to be reported, and returns all of it, in the order in which it was attached; nothing after
   * `timeoutMs`. Serves the nodes of the attached ports meanwhile. Throws ERR_SEALANE_ABORTED, ERR_SEALANE_INVALID_ARGUMENT (also: nothing
   * is attached, and there is no time limit), ERR_SEALANE_BUSY (called while it waits), ERR_SEALANE_CLOSED.
   */
  wait(options: WaitOptions = {}): Ready[] {
    this.#check();
    checkOptions('options', options, ['timeoutMs', 'signal']);
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
      throw invalidArgument('options.timeoutMs', 'be a number of milliseconds from 0 to Infinity', timeoutMs);
    checkSignal('options.signal', signal);
    if (this.#waiting) throw new SealaneError('ERR_SEALANE_BUSY', 'the wait set waits already');
    const left = this.#reports.splice(0).filter(isCurrent);
    if (left.length > 0) return left;
    this.#waiting = true;
    try {
      return this.#waitUntil(performance.now() + timeoutMs, signal);
    } finally {
      this.#waiting = false;
    }
  }

  /**
   * Waits, and calls `handler` with each report, until stop() is called, the set is closed, or nothing is attached any more. The event
   * loop does not turn meanwhile, so the handler can't be asynchronous. Throws what the handler throws, and as wait().
   */
  run(handler: (ready: Ready) => void, options: { readonly signal?: AbortSignal } = {}): void {
    this.#check();
    if (typeof handler !== 'function') throw invalidArgument('handler', 'be a function', handler);
    checkOptions('options', options, ['signal']);
    this.#stopped = false;
    while (!this.#stopped && !this.closed && this.size + this.#reports.length > 0) {
      this.#reports = this.wait(options);
      for (let ready = this.#reports.shift(); ready !== undefined; ready = this.#reports.shift()) {
        refusePromise(handler(ready));
        if (this.#stopped) return;
        this.#reports = this.#reports.filter(isCurrent);
      }
    }
  }

  /** Ends the run that is under way, as soon as its handler returns. What else was ready is reported by the next run or wait. */
  stop(): void {
    this.#stopped = true;
  }

  /** Detaches everything. What was attached stays open. Idempotent. */
  close(): void {
    if (this.closed) return;
    for (const attached of this.#attachments) attached.detach();
    this.#readiness.close();
  }

  /** Same as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  #attachPort(port: WaitablePort, deadlineMs: number, options: AttachOptions): Attachment {
    this.#check();
    const waitable = waitableOf('port', port);
    checkOptions('options', options, ['name']);
    const name = nameOf(options, `port ${port.port}`);
    if (waitable.closed) throw closedError(name);
    this.#nest(waitable.loop);
    return this.#add(
      new AttachedPort(name, waitable, deadlineMs, (port) => this.#forgetPort(port, waitable)),
    );
  }

  #add(attached: Attached): Attachment {
    this.#attachments.add(attached);
    return attached;
  }

  #watchDescriptor(name: string, fd: number, interest: DescriptorInterest): AttachedDescriptor {
    try {
      return new AttachedDescriptor(name, fd, this.#nextKey++, interest, this.#readiness, (attached) =>
        this.#forgetDescriptor(attached as AttachedDescriptor),
      );
    } catch (error) {
      if (isSealaneError(error) && error.errnoName === 'EEXIST')
        throw invalidArgument('fd', 'be attached once only', fd);
      throw error;
    }
  }

  /** Whoever had the number before it was added now was closed: the kernel would have refused it else. */
  #detachFormer(fd: number): void {
    const former = this.#descriptors.get(fd);
    this.#descriptors.delete(fd);
    former?.detach();
  }

  #forgetPort(attached: Attached, { loop }: Waitable): void {
    this.#attachments.delete(attached);
    const nested = this.#loops.get(loop);
    if (nested === undefined) return;
    nested.ports -= 1;
    if (nested.ports > 0) return;
    this.#loops.delete(loop);
    this.#sources.delete(nested.key);
    // A closed one has left by itself.
    if (!loop.closed && !this.closed) this.#readiness.remove(loop.fd);
  }

  #forgetDescriptor(attached: AttachedDescriptor): void {
    this.#attachments.delete(attached);
    this.#sources.delete(attached.key);
    // Another one has the number by now, if it was closed too early.
    if (this.#descriptors.get(attached.fd) !== attached) return;
    this.#descriptors.delete(attached.fd);
    try {
      this.#readiness.remove(attached.fd);
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_SYSTEM')) throw error;
    }
  }

  /** Has the loop of a node in the set. */
  #nest(loop: ControlLoop): void {
    const nested = this.#loops.get(loop);
    if (nested !== undefined) {
      nested.ports += 1;
      return;
    }
    const key = this.#nextKey++;
    this.#readiness.add(loop.fd, key);
    this.#detachFormer(loop.fd);
    this.#loops.set(loop, { key, ports: 1 });
    this.#sources.set(key, () => loop.wait(0));
  }

  #waitUntil(untilMs: number, signal: AbortSignal | undefined): Ready[] {
    if (this.#descriptors.size > 0) this.#pollAll();
    this.#serveLoops();
    for (;;) {
      if (signal?.aborted === true) throw abortedError('waiting', signal);
      // What is served may run handlers of diagnostics, which may do anything.
      this.#check();
      const ready = this.#look();
      if (ready.length > 0) return ready;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return ready;
      if (this.size === 0 && untilMs === Number.POSITIVE_INFINITY)
        throw invalidArgument('options.timeoutMs', 'be given where nothing is attached', undefined);
      this.#sleep(leftMs);
    }
  }

  /** All that is to be reported now. */
  #look(): Ready[] {
    const nowMs = performance.now();
    let anew = false;
    for (const descriptor of this.#descriptors.values()) anew = descriptor.lookAnew(nowMs) || anew;
    if (anew) this.#pollAll();
    const found: Ready[] = [];
    for (const attached of this.#attachments) {
      const ready = attached.look(nowMs);
      if (ready !== undefined) found.push(ready);
    }
    return found;
  }

  /** Sleeps until something happens, a slice at most. */
  #sleep(leftMs: number): void {
    let dueMs = performance.now() + leftMs;
    for (const attached of this.#attachments) dueMs = Math.min(dueMs, attached.dueMs);
    let ready = false;
    try {
      for (const attached of this.#attachments) ready = attached.beginWaiting() || ready;
      const ms = Math.ceil(dueMs - performance.now());
      if (!ready) this.#poll(Math.min(Math.max(ms, 0), MAX_POLL_MS));
    } finally {
      for (const attached of this.#attachments) attached.endWaiting();
    }
    this.#serveLoops();
  }

  /** What is due by the clock, and what may be ready while ports are never empty. */
  #serveLoops(): void {
    for (const loop of this.#loops.keys()) loop.serveIfDue();
  }

  /** All that is ready now, however much that is. */
  #pollAll(): void {
    for (let left = this.#sources.size; left > 0 && !this.closed; left -= MAX_POLL_KEYS)
      if (this.#poll(0) < MAX_POLL_KEYS) return;
  }

  /** Returns how much was ready: there is more where that is MAX_POLL_KEYS. */
  #poll(ms: number): number {
    const count = this.#readiness.poll(ms);
    for (let index = 0; index < count && !this.closed; index++) {
      const tell = this.#sources.get(this.#readiness.key(index));
      tell?.(this.#readiness.readable(index), this.#readiness.writable(index));
    }
    return count;
  }

  #check(): void {
    if (this.closed) throw closedError('the wait set');
  }
}

function nameOf({ name }: AttachOptions, otherwise: string): string {
  if (name !== undefined) checkText('options.name', name, 1, MAX_NAME_BYTES);
  return name ?? otherwise;
}

function checkMs(ms: unknown): asserts ms is number {
  if (typeof ms !== 'number' || !(ms >= 1 && ms <= MAX_MS))
    throw invalidArgument('ms', `be a number of milliseconds from 1 to ${MAX_MS}`, ms);
}

function checkInterest(readable: unknown, writable: unknown): void {
  checkBoolean('options.readable', readable);
  checkBoolean('options.writable', writable);
  if (!readable && !writable)
    throw invalidArgument('options', 'wait for reading, writing, or both', { readable, writable });
}

/** Whether it still matters: what was reported may have been detached since. */
function isCurrent({ type, attachment }: Ready): boolean {
  return type === 'closed' || attachment.attached;
}

/** It would stay pending for as long as the set waits. */
function refusePromise(answer: unknown): void {
  if (types.isPromise(answer)) throw invalidArgument('handler', 'not be asynchronous', answer);
}
