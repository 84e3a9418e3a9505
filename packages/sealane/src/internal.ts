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
export { Domain } from './services/domain/domain.js';
export { listNodes, listServices } from './services/domain/listing.js';
export { EVENT, PUBLISH_SUBSCRIBE } from './services/domain/messaging.js';
export { serviceFolderName } from './services/domain/names.js';
export { type PublishedNode, publishNode } from './services/domain/node-files.js';
export { NodeServices, type OpenService } from './services/domain/service-files.js';
export * from './services/pairs/handshake.js';
export * from './services/pairs/observe-packets.js';
export { SlotMemory, type SlotShape } from './services/pairs/slots.js';
export * from './services/samples/segment-packets.js';
export * from './shm/channel.js';
export * from './shm/event-set.js';
export * from './shm/layout.js';
export * from './wire/index.js';
