/**
 * Control memory of one publisher-subscriber pair: where its words lie, and how it is begun. spec/services.md draws it. Owns no memory.
 * Both sides write it, so nothing in it is believed: the shape is agreed upon in the handshake, and each side keeps its own.
 */
import {
  CHANNEL_COMPLETION_CELLS_AT,
  CHANNEL_LINE_BYTES,
  CHANNEL_MAGIC,
  CHANNEL_MAGIC_AT,
  CHANNEL_SUBMISSION_CELLS_AT,
  CHANNEL_TAIL_AT,
  CHANNEL_VERSION,
  CHANNEL_VERSION_AT,
} from './layout.js';
import { powerOfTwo } from './outcome.js';

/** How many cells the two rings have: powers of two. */
export interface ChannelShape {
  /** Cells for samples on their way to the subscriber. */
  readonly submissionCells: number;
  /** Cells for slots on their way back. */
  readonly completionCells: number;
}

/** Bytes of a word: every word is an int32. */
export const WORD_BYTES = 4;

/**
 * The shape for a subscriber that buffers `bufferSize` samples, of a publisher with `slots` slots. Completions have a cell for every
 * slot and one more, so that an honest subscriber never finds its ring full.
 */
export function channelShape(bufferSize: number, slots: number): ChannelShape {
  return { submissionCells: powerOfTwo(bufferSize), completionCells: powerOfTwo(slots + 1) };
}

/** Where completions begin: the word of their tail, in bytes. */
export function completionTailAt(shape: ChannelShape): number {
  return CHANNEL_TAIL_AT + roundUpLine(WORD_BYTES * (1 + shape.submissionCells));
}

/** Bytes of the control memory. */
export function channelBytes(shape: ChannelShape): number {
  return completionTailAt(shape) + roundUpLine(WORD_BYTES * (1 + shape.completionCells));
}

/** Writes the constants that inspectors look for. Everything else of new memory is 0, which is how it begins. */
export function beginChannel(words: Int32Array, shape: ChannelShape): void {
  words[CHANNEL_MAGIC_AT / WORD_BYTES] = CHANNEL_MAGIC;
  words[CHANNEL_VERSION_AT / WORD_BYTES] = CHANNEL_VERSION;
  words[CHANNEL_SUBMISSION_CELLS_AT / WORD_BYTES] = shape.submissionCells;
  words[CHANNEL_COMPLETION_CELLS_AT / WORD_BYTES] = shape.completionCells;
}

function roundUpLine(bytes: number): number {
  return Math.ceil(bytes / CHANNEL_LINE_BYTES) * CHANNEL_LINE_BYTES;
}
