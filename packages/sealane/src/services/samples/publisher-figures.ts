/** What a publisher tells observers of itself. Owns the counts that only they want to know. */
import type { PortFigures } from '../../shm/figures.js';
import {
  PUBLISHER_FIGURE_FORGOTTEN,
  PUBLISHER_FIGURE_LOANED,
  PUBLISHER_FIGURE_LOST,
  PUBLISHER_FIGURE_MEMORY_BYTES,
  PUBLISHER_FIGURE_SENT,
  PUBLISHER_FIGURE_SLOTS,
  PUBLISHER_FIGURE_USED_SLOTS,
} from '../../shm/layout.js';
import type { Outlet } from './outlet.js';
import type { Segments } from './segments.js';

/** Of whom it is told. */
interface PublisherState {
  readonly sent: number;
  readonly loaned: number;
  readonly segments: Segments;
}

export class PublisherTold {
  /** Loans that the garbage collector gave back. */
  forgotten = 0;
  readonly #figures: PortFigures;
  /** Samples that subscribers did not get whose connections are over. */
  #lost = 0;

  constructor(figures: PortFigures, publisher: PublisherState) {
    this.#figures = figures;
    figures.onWrite = (cells) => this.#write(cells, publisher);
  }

  add(outlet: Outlet): void {
    this.#figures.addRow(outlet.figures);
  }

  remove(outlet: Outlet): void {
    this.#lost += outlet.lost;
    this.#figures.removeRow(outlet.figures);
  }

  #write(cells: Float64Array, { sent, loaned, segments }: PublisherState): void {
    cells[PUBLISHER_FIGURE_SENT] = sent;
    cells[PUBLISHER_FIGURE_LOST] = this.#lost;
    cells[PUBLISHER_FIGURE_FORGOTTEN] = this.forgotten;
    cells[PUBLISHER_FIGURE_LOANED] = loaned;
    cells[PUBLISHER_FIGURE_SLOTS] = segments.live.reduce((sum, { pool }) => sum + pool.slots, 0);
    cells[PUBLISHER_FIGURE_USED_SLOTS] = segments.used;
    cells[PUBLISHER_FIGURE_MEMORY_BYTES] = segments.bytes;
  }
}
