/** What the command, the tests and the benchmarks use beyond the public face. No promise of stability is made for it. */
export * from './base/limits.js';
export {
  checkPolicy,
  type ExplainedGrant,
  explainPolicy,
  type PolicyCaller,
  type PolicyExplanation,
} from './broker/index.js';
export * from './buffers/packets.js';
export { Link, type LinkOptions } from './link/index.js';
export * from './os/index.js';
export { Domain } from './services/domain.js';
export * from './services/handshake.js';
export { listNodes, listServices } from './services/listing.js';
export { EVENT, PUBLISH_SUBSCRIBE } from './services/messaging.js';
export { serviceFolderName } from './services/names.js';
export { type PublishedNode, publishNode } from './services/node-files.js';
export * from './services/observe-packets.js';
export * from './services/segment-packets.js';
export { NodeServices, type OpenService } from './services/service-files.js';
export { SlotMemory, type SlotShape } from './services/slots.js';
export * from './shm/channel.js';
export * from './shm/event-set.js';
export * from './shm/layout.js';
export * from './wire/index.js';
