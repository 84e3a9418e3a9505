/** The broker's face: what embeds it needs nothing else. */
export { Broker } from './broker.js';
export type { BrokerOptions } from './options.js';
export type { BrokerStatus } from './services.js';
