/** The numbers of the services' memory layouts and handshake. spec/services.md draws them. */
// Generated from spec/services.json by scripts/generate-layout.mjs: change that.

// Control memory of one publisher-subscriber pair: byte offsets of int32 words, each group of writers on cache lines of its own.
/** The first word: `SLCH` in ASCII. */
export const CHANNEL_MAGIC = 1_212_370_003;
/** The second word. */
export const CHANNEL_VERSION = 1;
export const CHANNEL_MAGIC_AT = 0;
export const CHANNEL_VERSION_AT = 4;
export const CHANNEL_SUBMISSION_CELLS_AT = 8;
export const CHANNEL_COMPLETION_CELLS_AT = 12;
/** Position of the oldest sample that nobody took: moved by both sides, by compare-exchange. */
export const CHANNEL_HEAD_AT = 128;
/** 1: the subscriber sleeps, or is about to. */
export const CHANNEL_SUBSCRIBER_WAITING_AT = 256;
/** Not 0: the publisher waits for room, and is to be woken once fewer samples than this are in the ring. */
export const CHANNEL_PUBLISHER_WAITING_AT = 384;
/** Position that the publisher fills next. The submission cells follow in the same cache line. */
export const CHANNEL_TAIL_AT = 512;
/** Words of different writers are this far apart: two cache lines, which processors fetch together. */
export const CHANNEL_LINE_BYTES = 128;

// Event set of one notifier-listener pair: byte offsets of int32 words, each group of writers on cache lines of its own.
/** The first word: `SLEV` in ASCII. */
export const EVENTS_MAGIC = 1_447_382_099;
/** The second word. */
export const EVENTS_VERSION = 1;
export const EVENTS_MAGIC_AT = 0;
export const EVENTS_VERSION_AT = 4;
/** How many ids there are. */
export const EVENTS_IDS_AT = 8;
/** 1: the notifier was closed; without, the end of the connection is its death. */
export const EVENTS_GOODBYE_AT = 128;
/** 1: the listener sleeps, or is about to. */
export const EVENTS_LISTENER_WAITING_AT = 256;
/** Always 0: no notifier waits for a listener. */
export const EVENTS_NOTIFIER_WAITING_AT = 384;
/** A bit for each id that was notified since the listener looked: set by the notifier, taken by the listener. */
export const EVENTS_PENDING_AT = 512;
export const EVENTS_PENDING_WORDS = 32;
/** Of each id, how often it was notified: two words, high and low. Only the notifier writes them. */
export const EVENTS_COUNTS_AT = 640;
/** high is n / 2^31, low is n mod 2^32; high is stored first. */
export const EVENTS_COUNT_BYTES = 8;
/** A bit of the pending words for each. */
export const EVENTS_MAX_IDS = 1_024;
/** 2^22: a count stays below 2^53. */
export const EVENTS_MAX_HIGH = 4_194_304;

// Header of one slot in a publisher's pool memory: byte offsets from the slot's begin.
/** u64: 1 for the publisher's first sample, then counting up. */
export const SLOT_SEQUENCE_AT = 0;
/** u64: length of the payload. */
export const SLOT_BYTES_AT = 8;
/** u64: CLOCK_MONOTONIC at send, nanoseconds. */
export const SLOT_TIMESTAMP_AT = 16;
/** u64: the time that the sender says it is of, nanoseconds of a clock of its own choice; 0: none. */
export const SLOT_SOURCE_TIMESTAMP_AT = 24;
/** What follows is the user header, then the payload at its alignment. */
export const SLOT_HEADER_BYTES = 64;

// What the cells of both rings hold: segment * 2^SLOT_BITS + slot. A publisher that does not grow has segment 0 only.
export const CELL_SLOT_BITS = 20;
/** Numbers of segments: 0 to this minus 1, used in turn. */
export const CELL_SEGMENTS = 1_024;
/** Segments that a publisher has at a time at most. */
export const CELL_MAX_LIVE_SEGMENTS = 64;

// The packets that make a connection of a pair.
/** The first word of every packet but a wake-up: `SLSV` in ASCII. */
export const HANDSHAKE_MAGIC = 1_448_299_603;
export const HANDSHAKE_VERSION = 1;
export const HANDSHAKE_CONNECT = 1;
export const HANDSHAKE_ACCEPT = 2;
export const HANDSHAKE_REFUSE = 3;
/** On the connection of a pair: another segment of the publisher, with its descriptor. */
export const HANDSHAKE_SEGMENT = 16;
/** On the connection of a pair: a segment of which no sample is needed any more. */
export const HANDSHAKE_RETIRE = 17;
export const HANDSHAKE_CONNECT_BYTES = 64;
export const HANDSHAKE_ACCEPT_BYTES = 64;
export const HANDSHAKE_REFUSE_HEADER_BYTES = 16;
/** The kind of a service, in CONNECT. */
export const HANDSHAKE_PUBLISH_SUBSCRIBE = 0;
export const HANDSHAKE_EVENT = 1;
export const HANDSHAKE_SEGMENT_BYTES = 32;
export const HANDSHAKE_RETIRE_BYTES = 16;
/** A refusal with the longest text. */
export const HANDSHAKE_MAX_REFUSE_BYTES = 528;
