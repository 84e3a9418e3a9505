/** The numbers of the metadata of a frame. spec/frames.md draws them. */
// Generated from spec/frames.json by scripts/generate-layout.mjs: change that.

// The metadata of a frame: byte offsets from its begin. What is not named is zero.
/** The first word: `SLFM` in ASCII. */
export const FRAME_MAGIC = 1_296_452_691;
/** u16. */
export const FRAME_VERSION = 1;
export const FRAME_MAGIC_AT = 0;
export const FRAME_VERSION_AT = 4;
/** u16: FRAME_DAMAGED or 0. */
export const FRAME_FLAGS_AT = 6;
/** Whoever made the picture says that it may be damaged. */
export const FRAME_DAMAGED = 1;
/** u32: pixels in a row. */
export const FRAME_WIDTH_AT = 8;
/** u32: rows. */
export const FRAME_HEIGHT_AT = 12;
/** u32: DRM's code of the pixel format, the first character in the lowest byte. */
export const FRAME_FOURCC_AT = 16;
/** u32: how many planes there are, 1 to FRAME_MAX_PLANES. */
export const FRAME_PLANES_AT = 20;
/** u64: DRM's modifier, how pixels lie in a plane; 0: row by row. */
export const FRAME_MODIFIER_AT = 24;
/** u64: the count of pictures of whoever made this one; a gap is pictures that were lost. */
export const FRAME_SEQUENCE_AT = 32;
/** u64: when the picture was taken, nanoseconds. */
export const FRAME_TIMESTAMP_AT = 40;
/** u32: of which clock, a FRAME_CLOCK. */
export const FRAME_CLOCK_AT = 48;
/** u8: colour primaries, a code of ITU-T H.273. */
export const FRAME_PRIMARIES_AT = 52;
/** u8: transfer characteristics, a code of ITU-T H.273. */
export const FRAME_TRANSFER_AT = 53;
/** u8: matrix coefficients, a code of ITU-T H.273. */
export const FRAME_MATRIX_AT = 54;
/** u8: a FRAME_RANGE. */
export const FRAME_RANGE_AT = 55;
/** u8: 1 + index of the descriptor of a sync_file to wait for before the frame is read; 0: none. */
export const FRAME_ACQUIRE_FENCE_AT = 56;
/** u8: 1 + index of the descriptor of a sync_file to wait for before the frame is written again; 0: none. */
export const FRAME_RELEASE_FENCE_AT = 57;
/** The planes follow one another. */
export const FRAME_FIRST_PLANE_AT = 64;
export const FRAME_MAX_PLANES = 4;
/** u32, from the plane's begin: index of the descriptor that it lies in. */
export const FRAME_PLANE_DESCRIPTOR_AT = 0;
/** u32: bytes from one row to the next. */
export const FRAME_PLANE_STRIDE_AT = 4;
/** u64: byte at which it begins. */
export const FRAME_PLANE_OFFSET_AT = 8;
/** u64: bytes of it. */
export const FRAME_PLANE_LENGTH_AT = 16;
/** Bytes from one plane to the next. */
export const FRAME_PLANE_BYTES = 32;
/** As many come with a frame at most. */
export const FRAME_MAX_DESCRIPTORS = 4;
/** Most pixels in a row, and most rows. */
export const FRAME_MAX_SIDE = 65_535;
/** Bytes of all. */
export const FRAME_BYTES = 192;

// Clocks of timestamps: those of clock_gettime(2).
export const FRAME_CLOCK_UNKNOWN = 0;
export const FRAME_CLOCK_REALTIME = 1;
export const FRAME_CLOCK_MONOTONIC = 2;
export const FRAME_CLOCK_BOOTTIME = 3;

// Which values of its bits a component uses.
export const FRAME_RANGE_UNKNOWN = 0;
/** Those of video: 16 to 235 of 8 bits. */
export const FRAME_RANGE_LIMITED = 1;
/** All. */
export const FRAME_RANGE_FULL = 2;
