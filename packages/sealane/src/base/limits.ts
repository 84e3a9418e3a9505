/** Limits of the library itself, each with its reason. What an operator may set has its default in broker options. */

/** Longest name of an object, in bytes of UTF-8. The same as memfdbus, so that its names fit. */
export const MAX_NAME_BYTES = 65_536;

/** Longest job id, in bytes of UTF-8. The same as memfdbus. */
export const MAX_JOB_BYTES = 256;

/** Most bytes of user metadata of one object: keys and values together, in UTF-8. Metadata describes; it is not the data. */
export const MAX_METADATA_BYTES = 4_096;

/** Most entries of user metadata of one object. */
export const MAX_METADATA_ENTRIES = 64;

/** Longest name pattern, in bytes of UTF-8. Matching is linear, and the pattern is kept by every watch. */
export const MAX_PATTERN_BYTES = 1_024;

/** Longest time to live, in milliseconds: what one timer of the event loop can hold (2^31 - 1, about 24.8 days). */
export const MAX_TTL_MS = 2_147_483_647;

/** Largest packet that is sent as one: well below the 213 kB at which the kernel refuses a SOCK_SEQPACKET packet. */
export const MAX_PACKET_BYTES = 65_536;

/** Largest message at all; what is over a packet travels as a sealed memfd. Bounds what a peer can make us read. */
export const MAX_MESSAGE_BYTES = 16 * 1_048_576;

/** Most descriptors in one packet. A message needs one, and one more when it travels as a memfd. */
export const MAX_PACKET_DESCRIPTORS = 4;

/** Sources up to this size, in bytes, are copied on the event loop (about 0.3 ms); larger ones on a thread. */
export const INLINE_COPY_BYTES = 1_048_576;
