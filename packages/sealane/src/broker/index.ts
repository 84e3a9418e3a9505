/** The broker's face: what embeds it needs nothing else. */
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
