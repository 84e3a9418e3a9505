/** A bare descriptor as something to map. */
import type { Mappable } from '../os/mappable.js';

/** Borrows the descriptor. What it says of size and seals is made up: nobody may believe it. */
export function mappable(descriptor: number): Mappable {
  return { descriptor, size: 1, seals: 0 };
}
