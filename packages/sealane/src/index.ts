/** The public face of Sealane: blobs and their broker, and services. Everything that is not exported here may change at any time. */
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
export { type PassedSocket, takePassedSockets } from './os/activation.js';
export type { Mappable } from './os/mappable.js';
export * from './services/index.js';
export type { BrokerLimits } from './wire/index.js';
