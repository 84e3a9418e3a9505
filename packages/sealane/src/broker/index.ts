/** The broker's face: what embeds it needs nothing else. */
export {
  AuditFile,
  type AuditOptions,
  type AuditOverflow,
  type AuditSink,
  type AuditWritten,
} from './audit/index.js';
export { Broker } from './broker.js';
export type { BrokerOptions } from './options.js';
export type { ListeningSocket } from './passed-socket.js';
export {
  type ExplainedGrant,
  explainPolicy,
  type PolicyCaller,
  type PolicyExplanation,
} from './policy/explain.js';
export {
  checkPolicy,
  type PolicyGrant,
  type PolicyJob,
  type PolicyOptions,
  type PolicyQuota,
  type PolicySubject,
} from './policy/options.js';
export type { BrokerStatus } from './services.js';
