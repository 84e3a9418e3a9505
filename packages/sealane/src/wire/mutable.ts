/** The type of a message while it is being decoded. */

/** T with properties that may be assigned. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
