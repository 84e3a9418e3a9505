// What every consumer does with the bytes that reach it, whatever brought them: a search for a byte that stands only
// at the very end. It reads each byte once at the speed of memory (memchr), so that what is compared is the delivery.

const LAST_BYTE = 0xff;

/** `size` bytes that hold 0xff at the end and nowhere else, and are in memory already. */
export function makePayload(size: number): Uint8Array {
  const payload = new Uint8Array(size);
  for (let index = 0; index < Math.min(size, LAST_BYTE); index++) payload[index] = index;
  for (let filled = LAST_BYTE; filled < size; filled *= 2) payload.copyWithin(filled, 0, filled);
  payload[size - 1] = LAST_BYTE;
  return payload;
}

/** Writes every byte of a payload that is there already; payloads of different `round`s differ in almost all of them. */
export function writePayload(payload: Uint8Array, round: number): void {
  payload.fill(round % LAST_BYTE);
  payload[payload.byteLength - 1] = LAST_BYTE;
}

/** Looks at every byte up to the end of a payload; it may come in any number of pieces. */
export class Pass {
  #seen = 0;

  /** The size of the payload once its last byte came by, else 0. Throws if bytes follow the last one. */
  take(piece: Uint8Array): number {
    const found = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).indexOf(LAST_BYTE);
    this.#seen += piece.byteLength;
    if (found < 0) return 0;
    if (found !== piece.byteLength - 1) throw new Error('bytes follow the end of a payload');
    const size = this.#seen;
    this.#seen = 0;
    return size;
  }
}
