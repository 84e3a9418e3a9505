// A consumer that reads payloads from a Unix stream socket, in one of two ways (SocketReading). Both read into buffers
// of their own choice (`onread`), which spares an allocation and a copy per piece.
import { connect } from 'node:net';
import { READY } from './children.js';
import { Pass } from './pass.js';
import { SIZE_BYTES, type SocketReading } from './socket-reading.js';

// More than a Unix socket's buffer holds by default: a read takes all that is there.
const PIECE_BYTES = 256 * 1024;

/** Says where the next bytes go, and takes them; `looked` is called with the size of each whole payload. */
class PayloadReader {
  readonly #looked: (size: number) => void;
  readonly #keep: boolean;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #pass = new Pass();
  readonly #sizeBytes = Buffer.alloc(SIZE_BYTES);
  #sizeFilled = 0;
  #payload = new Uint8Array(0);
  #left = 0;

  constructor(reading: SocketReading, looked: (size: number) => void) {
    this.#keep = reading === 'whole';
    this.#looked = looked;
  }

  target(): Uint8Array {
    if (this.#left === 0) return this.#sizeBytes.subarray(this.#sizeFilled);
    if (this.#keep) return this.#payload.subarray(this.#payload.byteLength - this.#left);
    return this.#piece.subarray(0, Math.min(this.#left, PIECE_BYTES));
  }

  took(bytes: number): void {
    if (this.#left === 0) this.#tookSize(bytes);
    else this.#tookPayload(bytes);
  }

  #tookSize(bytes: number): void {
    this.#sizeFilled += bytes;
    if (this.#sizeFilled < SIZE_BYTES) return;
    this.#sizeFilled = 0;
    this.#left = this.#sizeBytes.readDoubleLE(0);
    if (this.#keep) this.#payload = new Uint8Array(this.#left);
  }

  #tookPayload(bytes: number): void {
    this.#left -= bytes;
    if (!this.#keep) this.#report(this.#pass.take(this.#piece.subarray(0, bytes)));
    else if (this.#left === 0) this.#report(this.#pass.take(this.#payload));
  }

  #report(size: number): void {
    if (size > 0) this.#looked(size);
  }
}

function answer(size: number): void {
  const bytes = Buffer.alloc(SIZE_BYTES);
  bytes.writeDoubleLE(size);
  socket.write(bytes);
}

const [, , path = '', reading = 'whole'] = process.argv;
const reader = new PayloadReader(reading as SocketReading, answer);
const socket = connect({
  path,
  onread: {
    buffer: () => reader.target(),
    callback: (bytes) => {
      reader.took(bytes);
      return true;
    },
  },
});
socket.once('connect', () => process.send?.(READY));
process.once('disconnect', () => process.exit(0));
