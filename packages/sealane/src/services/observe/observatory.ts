/**
 * The figures of one node's ports, and who looks at them. Owns the memory that observers read, which exists only while there are any, and the
 * connections to them. Trusts no observer: it gets a descriptor of memory that it can't write, and is never waited for.
 */
import { isSealaneError } from '../../base/errors.js';
import { disposeDescriptors, POOL_SEALS, SharedMemory, type UnixSocket } from '../../os/index.js';
import { PortFigures, type PortFiguresOptions } from '../../shm/figures.js';
import { type FiguresBlock, FiguresMemory, figuresBytes } from '../../shm/figures-memory.js';
import { powerOfTwo } from '../../shm/outcome.js';
import { isOwnUser } from '../domain/trust.js';
import { type Refusal, receiveQuietly } from '../pairs/acceptor.js';
import type { ControlLoop } from '../pairs/control.js';
import { encodeFigures, MAX_FIGURES_BYTES } from '../pairs/observe-packets.js';

/** Observers at a time: a descriptor each. */
const MAX_OBSERVERS = 16;

/** Room for some twenty ports of default settings. What is not used takes no memory. */
const MIN_BYTES = 65_536;

/** How often all figures are written, in milliseconds. */
const REFRESH_MS = 200;

/** The figures of one node. */
export class Observatory implements Disposable {
  readonly #loop: ControlLoop;
  readonly #ports = new Map<PortFigures, FiguresBlock | undefined>();
  /** Key in the loop of each observer's connection. */
  readonly #observers = new Map<UnixSocket, number>();
  #memory: SharedMemory | undefined;
  #layout: FiguresMemory | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endServe: () => void = () => undefined;
  #refreshedMs = 0;

  constructor(loop: ControlLoop) {
    this.#loop = loop;
  }

  /** Figures of a new port. */
  open(options: PortFiguresOptions): PortFigures {
    const port = new PortFigures(options);
    this.#ports.set(port, undefined);
    this.#place(port);
    return port;
  }

  /** A port ends. */
  remove(port: PortFigures): void {
    const block = this.#ports.get(port);
    this.#ports.delete(port);
    if (block === undefined) return;
    port.moveAway();
    this.#layout?.remove(block);
  }

  /** Dismisses all observers. Idempotent. */
  close(): void {
    for (const socket of [...this.#observers.keys()]) this.#dismiss(socket);
    this.#endIfAlone();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Somebody wants to observe. Takes the socket, or says why not. Throws ERR_SEALANE_EXHAUSTED. */
  observe(socket: UnixSocket): Refusal {
    // Also where subscribers of other users are let in: figures tell of services that those may not see.
    if (!isOwnUser(socket.peer.uid))
      return {
        reason: 'untrusted',
        text: `only its own user observes this node, not user ${socket.peer.uid}`,
      };
    if (this.#observers.size >= MAX_OBSERVERS)
      return { reason: 'exhausted', text: `it has ${MAX_OBSERVERS} observers, and can have no more` };
    this.#begin();
    try {
      if (!this.#send(socket)) {
        this.#endIfAlone();
        return { reason: 'exhausted', text: 'too many descriptors are under way' };
      }
      this.#observers.set(
        socket,
        this.#loop.watch(socket.fd, () => this.#onReadable(socket)),
      );
    } catch (error) {
      this.#endIfAlone();
      throw error;
    }
    return undefined;
  }

  /** The first observer comes. */
  #begin(): void {
    if (this.#memory !== undefined) return;
    this.#move();
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS).unref();
    this.#endServe = this.#loop.onServe(() => this.#refresh());
  }

  /** The last one has gone. */
  #endIfAlone(): void {
    if (this.#observers.size > 0) return;
    clearInterval(this.#timer);
    this.#endServe();
    for (const port of this.#ports.keys()) {
      port.moveAway();
      this.#ports.set(port, undefined);
    }
    this.#memory?.close();
    this.#memory = undefined;
    this.#layout = undefined;
  }

  /** Has all ports tell their figures in new memory with room for twice as many, as far as there may be. */
  #move(): void {
    const wanted = powerOfTwo(2 * figuresBytes(this.#ports.keys()));
    const bytes = Math.min(Math.max(wanted, MIN_BYTES), MAX_FIGURES_BYTES);
    const memory = SharedMemory.create('sealane-figures', bytes, POOL_SEALS);
    const former = this.#memory;
    this.#layout = new FiguresMemory(memory.buffer);
    this.#memory = memory;
    for (const port of this.#ports.keys()) {
      const block = this.#layout.place(port);
      if (block === undefined) port.moveAway();
      this.#ports.set(port, block);
    }
    former?.close();
  }

  /** A new port. Observers are told where figures are from now on, if there was no room for it. */
  #place(port: PortFigures): void {
    const layout = this.#layout;
    if (layout === undefined || this.#memory === undefined) return;
    const block = layout.place(port);
    this.#ports.set(port, block);
    if (block !== undefined || this.#memory.size >= MAX_FIGURES_BYTES) return;
    try {
      this.#move();
    } catch (error) {
      // It is observed when there is memory for that.
      if (!isSealaneError(error)) throw error;
      return;
    }
    for (const socket of [...this.#observers.keys()]) if (!this.#sendQuietly(socket)) this.#dismiss(socket);
    this.#endIfAlone();
  }

  #send(socket: UnixSocket): boolean {
    const { descriptor, size } = this.#memory as SharedMemory;
    return socket.send(encodeFigures(size), [descriptor]) === 'sent';
  }

  /** Whoever does not read can come again. */
  #sendQuietly(socket: UnixSocket): boolean {
    try {
      return this.#send(socket);
    } catch (error) {
      if (!isSealaneError(error)) throw error;
      return false;
    }
  }

  /** An observer that says anything more has nothing more to say. */
  #onReadable(socket: UnixSocket): void {
    const packet = receiveQuietly(socket);
    if (packet === 'empty') return;
    if (packet !== 'end') disposeDescriptors(packet.descriptors);
    this.#dismiss(socket);
    this.#endIfAlone();
  }

  #dismiss(socket: UnixSocket): void {
    const key = this.#observers.get(socket);
    this.#observers.delete(socket);
    if (key !== undefined) this.#loop.unwatch(socket.fd, key);
    socket.close();
  }

  /** What would take a moment for each sample. Also called by whoever polls: most times it is not due. */
  #refresh(): void {
    const nowMs = performance.now();
    if (nowMs - this.#refreshedMs < REFRESH_MS / 2) return;
    this.#refreshedMs = nowMs;
    for (const port of this.#ports.keys()) port.refresh();
  }
}
