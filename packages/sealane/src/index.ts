/** The public face of Sealane: blobs and their broker, services, windows and DMA-BUFs. Everything that is not exported here may change at any time. */
export type {
  ConnectedMessage,
  DegradedMessage,
  DisconnectedMessage,
  LostMessage,
  PortMessage,
  ProcessMessage,
  RefusedMessage,
} from './base/diagnostics.js';
export { isSealaneError, SealaneError, type SealaneErrorCode } from './base/errors.js';
export * from './blobs/index.js';
export {
  AuditFile,
  type AuditOptions,
  type AuditOverflow,
  type AuditSink,
  type AuditWritten,
  Broker,
  type BrokerOptions,
  type ListeningSocket,
  type PolicyGrant,
  type PolicyJob,
  type PolicyOptions,
  type PolicyQuota,
  type PolicySubject,
} from './broker/index.js';
export * from './buffers/index.js';
export { type PassedSocket, takePassedSockets } from './os/activation.js';
export {
  type CpuAccess,
  type CpuUse,
  DmaBuf,
  type DmaHeapOptions,
  type UdmabufOptions,
} from './os/dma-buf.js';
export type { WasmMemory } from './os/guest-range.js';
export type { Mappable } from './os/mappable.js';
export type { Mapping } from './os/mapping.js';
export type { VideoFormat } from './os/video-device.js';
export * from './services/index.js';
export * from './windows/index.js';
export type { BrokerLimits } from './wire/index.js';
