/** What the parts of the library share instead of importing each other. Owns nothing. */

/** Anything with a descriptor, a size and seals. The descriptor belongs to the object and may be borrowed while it is open. */
export interface Mappable {
  /** The descriptor, borrowed. Valid until the object is closed. */
  readonly descriptor: number;
  /** Size in bytes. */
  readonly size: number;
  /** The seals (F_SEAL_...) as a bit mask. */
  readonly seals: number;
}
