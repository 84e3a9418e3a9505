/** Buffers: descriptors with metadata, between processes. The public names of this part. */
import './service.js';

export { BufferMemory, type BufferMemoryOptions } from './buffer-memory.js';
export { BufferPool, type BufferPoolOptions, type FreeBuffer } from './buffer-pool.js';
export { BufferPublisher, type BufferPublisherOptions } from './buffer-publisher.js';
export { BufferSubscriber, type BufferSubscriberOptions } from './buffer-subscriber.js';
export {
  bytesMetadata,
  jsonMetadata,
  type MetadataCodec,
  type MetadataDecoder,
  type MetadataEncoder,
} from './codec.js';
export * from './formats.js';
export type { BufferFrame, TokenRange } from './frame.js';
export type { FrameBytes } from './frame-bytes.js';
export { frameMetadata } from './frame-codec.js';
export { type FrameSizes, requireFrameFits } from './frame-fit.js';
export {
  type ColorRange,
  completeFrameMetadata,
  decodeFrameMetadata,
  encodeFrameMetadata,
  type FrameClock,
  type FrameColor,
  type FrameFences,
  type FrameMetadata,
  type FrameMetadataInput,
  type FramePlane,
} from './frame-metadata.js';
export type { DescriptorKind } from './kinds.js';
export type { SideChannel, SideChannelReceiver, SideChannelSender } from './side-channel.js';
export { drmFormatOf, videoFormatOf } from './video-formats.js';
export { type SentFrame, V4l2Source, type V4l2SourceOptions } from './video-source.js';
export type { FrameBuffer, FramePool } from './video-supply.js';
