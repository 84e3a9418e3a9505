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
/** 1: the publisher waits for any slot to come back. In the cache line that who takes samples looks at anyway. */
export const CHANNEL_RETURN_AWAITED_AT = 388;
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
/** On the connection of a pair: the descriptors of one sample, which is published behind it. */
export const HANDSHAKE_DESCRIPTORS = 18;
/** On the connection of a pair: the descriptors of one buffer of a pool, for all samples in its slot. */
export const HANDSHAKE_BUFFER = 19;
export const HANDSHAKE_CONNECT_BYTES = 64;
export const HANDSHAKE_ACCEPT_BYTES = 64;
export const HANDSHAKE_REFUSE_HEADER_BYTES = 16;
/** The kind of a service, in CONNECT. */
export const HANDSHAKE_PUBLISH_SUBSCRIBE = 0;
export const HANDSHAKE_EVENT = 1;
export const HANDSHAKE_SEGMENT_BYTES = 32;
export const HANDSHAKE_RETIRE_BYTES = 16;
export const HANDSHAKE_DESCRIPTORS_BYTES = 32;
export const HANDSHAKE_BUFFER_BYTES = 32;
/** Of one sample, or of one buffer of a pool. */
export const HANDSHAKE_MAX_DESCRIPTORS = 4;
/** What goes beside samples, in CONNECT and ACCEPT: nothing. */
export const HANDSHAKE_SAMPLES_ONLY = 0;
/** Descriptors with each; in CONNECT also: of either kind. */
export const HANDSHAKE_WITH_DESCRIPTORS = 1;
/** Those of the buffers of a pool, each once. */
export const HANDSHAKE_WITH_POOL = 2;
/** A refusal with the longest text. */
export const HANDSHAKE_MAX_REFUSE_BYTES = 528;

// The packets by which a node hands its figures to an observer.
/** Type of the request, beside those of the handshake. */
export const OBSERVE_REQUEST = 16;
/** Type of the answer; one descriptor comes with it. */
export const OBSERVE_FIGURES = 17;
export const OBSERVE_REQUEST_BYTES = 16;
export const OBSERVE_FIGURES_BYTES = 32;

// The memory in which the ports of an observed node count: byte offsets.
/** The first word: `SLFG` in ASCII. */
export const FIGURES_MAGIC = 1_195_789_395;
/** The second word. */
export const FIGURES_VERSION = 1;
export const FIGURES_MAGIC_AT = 0;
export const FIGURES_VERSION_AT = 4;
/** u32: odd while blocks or rows come and go. */
export const FIGURES_GENERATION_AT = 8;
/** u32: where the last block ends. */
export const FIGURES_USED_BYTES_AT = 12;
/** The first block begins here. */
export const FIGURES_HEADER_BYTES = 128;
/** Index of a port's figure: when all were written last, nanoseconds of CLOCK_MONOTONIC. */
export const FIGURES_WRITTEN_NS = 0;

// A block: the figures of one port. Byte offsets from its begin; its rows follow its header, and then its buckets.
/** u32: a FIGURES_KIND. */
export const FIGURES_BLOCK_KIND_AT = 0;
/** u32: a multiple of 128; the next block begins there. */
export const FIGURES_BLOCK_BYTES_AT = 4;
/** u32: the port within its node. */
export const FIGURES_BLOCK_PORT_AT = 8;
/** u32: rows, one for each connection; the first rows are used first. */
export const FIGURES_BLOCK_ROWS_AT = 12;
/** u32: buckets of latencies, float64: LATENCY_BUCKETS or 0. */
export const FIGURES_BLOCK_BUCKETS_AT = 16;
/** What the port tells: float64. */
export const FIGURES_BLOCK_FIGURES_AT = 64;
/** How many. */
export const FIGURES_BLOCK_FIGURES = 16;
export const FIGURES_BLOCK_HEADER_BYTES = 256;

// What a block is of.
export const FIGURES_KIND_FREE = 0;
export const FIGURES_KIND_PUBLISHER = 1;
export const FIGURES_KIND_SUBSCRIBER = 2;
export const FIGURES_KIND_NOTIFIER = 3;
export const FIGURES_KIND_LISTENER = 4;

// A row: one connection of a port. Byte offsets from its begin.
/** u32: 1, or 0 for a row of nobody. */
export const FIGURES_ROW_USED_AT = 0;
/** u32: the peer's port. */
export const FIGURES_ROW_PORT_AT = 4;
/** 8 bytes: the peer's node. */
export const FIGURES_ROW_NODE_AT = 8;
/** u32: the peer's process. */
export const FIGURES_ROW_PID_AT = 16;
/** u32: samples that may wait in between; 0: not known here. */
export const FIGURES_ROW_BUFFER_SIZE_AT = 20;
/** u32: samples that the subscriber may hold; 0: not known here. */
export const FIGURES_ROW_MAX_BORROWED_AT = 24;
/** What the port tells of the connection: float64. */
export const FIGURES_ROW_FIGURES_AT = 64;
/** How many. */
export const FIGURES_ROW_FIGURES = 8;
export const FIGURES_ROW_BYTES = 128;
/** Most rows of a block: no service allows a port more connections. */
export const FIGURES_ROW_MAX = 256;

// What a publisher tells: indices.
/** Samples that were sent. */
export const PUBLISHER_FIGURE_SENT = 1;
/** Samples that subscribers did not get whose connections are over: rows have the others. */
export const PUBLISHER_FIGURE_LOST = 2;
/** Loans that the garbage collector gave back. */
export const PUBLISHER_FIGURE_FORGOTTEN = 3;
/** Samples on loan. */
export const PUBLISHER_FIGURE_LOANED = 4;
export const PUBLISHER_FIGURE_SLOTS = 5;
/** Slots that somebody needs. */
export const PUBLISHER_FIGURE_USED_SLOTS = 6;
/** Bytes of its memory, used or not. */
export const PUBLISHER_FIGURE_MEMORY_BYTES = 7;

// What a publisher tells of one subscriber: indices.
/** Samples that it did not get: they gave way, or it was full. */
export const PUBLISHER_ROW_LOST = 0;
/** Slots that it has, as far as is known. */
export const PUBLISHER_ROW_HELD = 1;
/** Samples that wait for it. */
export const PUBLISHER_ROW_WAITING = 2;

// What a subscriber tells: indices.
/** Samples that were received by connections that are over: rows have the others. */
export const SUBSCRIBER_FIGURE_RECEIVED = 1;
/** Samples that were sent and did not arrive, likewise. */
export const SUBSCRIBER_FIGURE_MISSED = 2;
/** Samples that the garbage collector gave back. */
export const SUBSCRIBER_FIGURE_FORGOTTEN = 3;

// What a subscriber tells of one publisher: indices.
export const SUBSCRIBER_ROW_RECEIVED = 0;
export const SUBSCRIBER_ROW_MISSED = 1;
/** Samples that it holds. */
export const SUBSCRIBER_ROW_BORROWED = 2;
/** Samples that wait for it. */
export const SUBSCRIBER_ROW_WAITING = 3;

// What a notifier tells: indices.
/** Calls of notify. */
export const NOTIFIER_FIGURE_NOTIFIED = 1;

// What a listener tells: indices.
/** Notifications, each as often as it was told. */
export const LISTENER_FIGURE_RECEIVED = 1;
export const LISTENER_FIGURE_MISSED_DEADLINES = 2;

// Buckets of the time from send to receive: each doubling of the nanoseconds is cut into equal steps.
/** Steps of a doubling; below this many nanoseconds each has a bucket. */
export const LATENCY_STEPS = 8;
/** What takes 2^40 ns or longer is in the last one. */
export const LATENCY_BUCKETS = 304;
