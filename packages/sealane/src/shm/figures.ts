/**
 * What one port tells of itself and of each of its connections, to whoever observes its node. Owns nothing but that list: what is counted is
 * kept by the port, and written to memory that observers read while there are any. Only this side ever writes it, with plain stores: a
 * number of 64 bits is stored in one.
 */
import { monotonicNs } from '../os/index.js';
import { FIGURES_WRITTEN_NS } from './layout.js';

/** One connection. */
export class FiguresRow {
  /** Who is at the other end: its node, 16 hexadecimal digits, port and process. */
  readonly peer: { readonly node: string; readonly port: number; readonly pid: number };
  /** Samples that may wait in between; 0: not known on this side. */
  readonly bufferSize: number;
  /** Samples that the subscriber may hold. */
  readonly maxBorrowed: number;
  /** Where its figures are written; undefined: nobody observes. */
  cells: Float64Array | undefined;
  /** Writes all of them. */
  readonly write: (cells: Float64Array) => void;

  constructor(
    peer: FiguresRow['peer'],
    limits: { readonly bufferSize: number; readonly maxBorrowed: number },
    write: (cells: Float64Array) => void,
  ) {
    this.peer = peer;
    this.bufferSize = limits.bufferSize;
    this.maxBorrowed = limits.maxBorrowed;
    this.write = write;
  }
}

/** Where a port tells its figures while it is observed. */
export interface FiguresHome {
  /** The port's own. */
  readonly cells: Float64Array;
  /** Undefined: the port measures none. */
  readonly latencies: Float64Array | undefined;
  /** Gives a place to a row; returns its cells, all 0. */
  takeRow(index: number, row: FiguresRow): Float64Array;
  /** The row is nobody's. */
  clearRow(index: number): void;
  /** Makes a change that whoever reads is to see all of, or nothing. */
  change(work: () => void): void;
}

/** What a port says of itself. */
export interface PortFiguresOptions {
  /** A FIGURES_KIND. */
  readonly kind: number;
  /** Its number within its node. */
  readonly port: number;
  /** Connections that observers see at most; those beyond wait until one is over. */
  readonly rows: number;
  /** Whether it measures latencies while it is observed. */
  readonly latencies: boolean;
}

/** The figures of a port. */
export class PortFigures {
  readonly kind: number;
  readonly port: number;
  readonly rowLimit: number;
  readonly latencies: boolean;
  /** Where the port's own figures are written; undefined: nobody observes. */
  cells: Float64Array | undefined;
  /** Writes all of the port's own figures. */
  onWrite: (cells: Float64Array) => void = () => undefined;
  /** Somebody observes: latencies are to be counted there from now on; undefined: nobody does any more. */
  onObserved: (latencies: Float64Array | undefined) => void = () => undefined;
  readonly #rows: (FiguresRow | undefined)[] = [];
  #home: FiguresHome | undefined;

  constructor({ kind, port, rows, latencies }: PortFiguresOptions) {
    this.kind = kind;
    this.port = port;
    this.rowLimit = rows;
    this.latencies = latencies;
  }

  /** A connection began. */
  addRow(row: FiguresRow): void {
    const free = this.#rows.indexOf(undefined);
    this.#place(free < 0 ? this.#rows.length : free, row);
  }

  /** A connection is over, and what it counted is now the port's; its place goes to one for which there was none. */
  removeRow(row: FiguresRow): void {
    const index = this.#rows.indexOf(row);
    if (index < 0) return;
    this.#rows[index] = undefined;
    row.cells = undefined;
    if (index >= this.rowLimit) return;
    const home = this.#home;
    home?.change(() => {
      home.clearRow(index);
      this.onWrite(home.cells);
    });
    this.#fill(index);
  }

  /** Figures are told there from now on. */
  moveTo(home: FiguresHome): void {
    if (this.#home?.latencies !== undefined) home.latencies?.set(this.#home.latencies);
    this.#home = home;
    this.cells = home.cells;
    this.#rows.forEach((row, index) => {
      if (row !== undefined && index < this.rowLimit) row.cells = home.takeRow(index, row);
    });
    this.refresh();
    this.onObserved(home.latencies);
  }

  /** Nobody observes any more. */
  moveAway(): void {
    if (this.#home === undefined) return;
    this.#home = undefined;
    this.cells = undefined;
    for (const row of this.#rows) if (row !== undefined) row.cells = undefined;
    this.onObserved(undefined);
  }

  /** Writes all figures, if anybody observes. */
  refresh(): void {
    const { cells } = this;
    if (cells === undefined) return;
    for (const row of this.#rows) if (row?.cells !== undefined) row.write(row.cells);
    this.onWrite(cells);
    cells[FIGURES_WRITTEN_NS] = monotonicNs();
  }

  #place(index: number, row: FiguresRow): void {
    this.#rows[index] = row;
    const home = this.#home;
    if (index >= this.rowLimit) return;
    home?.change(() => {
      row.cells = home.takeRow(index, row);
      row.write(row.cells);
    });
  }

  #fill(index: number): void {
    const last = this.#rows.findLastIndex((row) => row !== undefined);
    const row = this.#rows[last];
    if (row === undefined || last < this.rowLimit) return;
    this.#rows.length = last;
    this.#place(index, row);
  }
}
