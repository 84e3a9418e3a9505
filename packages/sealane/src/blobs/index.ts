export { Blob, type BlobToken, openBlob, type TransferOptions, type TypedArrayConstructor } from './blob.js';
export {
  type BrokerStatus,
  Bus,
  connect,
  type DraftOptions,
  type GetOptions,
  type ListOptions,
  type StatOptions,
} from './bus.js';
export type { ConnectOptions } from './connect.js';
export { Draft, DraftPool, type DraftPoolOptions, type DraftPutOptions } from './draft.js';
export type { HasDescriptor } from './files.js';
export type { BlobInfo } from './info.js';
export type { PutOptions } from './put-options.js';
export type { PutSource } from './source.js';
export type { Target } from './target.js';
export { Watch, type WatchOptions } from './watch.js';
