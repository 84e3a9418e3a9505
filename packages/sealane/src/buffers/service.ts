/**
 * How a publish-subscribe service makes the ports of this part, which stands on it: by methods that are added here. Owns nothing. Whoever
 * imports the library has them.
 */
import { checkRecord } from '../base/check.js';
import { PubSubService } from '../services/pubsub-service.js';
import { BufferPool, type BufferPoolOptions } from './buffer-pool.js';
import { BufferPublisher, type BufferPublisherOptions } from './buffer-publisher.js';
import { BufferSubscriber, type BufferSubscriberOptions } from './buffer-subscriber.js';

declare module '../services/pubsub-service.js' {
  interface PubSubService {
    /**
     * Makes a publisher that hands descriptors over, with metadata. Buffer subscribers connect to it by themselves; other subscribers are
     * refused. Rejects as {@link PubSubService.publisher}, and with ERR_SEALANE_LIMIT_EXCEEDED when the service's `history` is more than 32.
     */
    bufferPublisher<Meta = unknown>(options?: BufferPublisherOptions<Meta>): Promise<BufferPublisher<Meta>>;
    /**
     * Makes a publisher with a pool of buffers, of 1 to 4 descriptors each, which it duplicates: up to 256, and more than the service's
     * `history`. Rejects as bufferPublisher, with ERR_SEALANE_TOO_MANY_DESCRIPTORS and ERR_SEALANE_SYSTEM (EBADF).
     */
    bufferPool<Meta = unknown>(
      buffers: readonly (number | readonly number[])[],
      options?: BufferPoolOptions<Meta>,
    ): Promise<BufferPool<Meta>>;
    /** Makes a subscriber of buffers, which connects to all such publishers and pools by itself. Rejects as {@link PubSubService.subscriber}. */
    bufferSubscriber<Meta = unknown>(
      options?: BufferSubscriberOptions<Meta>,
    ): Promise<BufferSubscriber<Meta>>;
  }
}

declare module '../services/wait-set.js' {
  interface WaitablePorts {
    readonly bufferSubscriber: BufferSubscriber<unknown>;
  }
}

PubSubService.prototype.bufferPublisher = async function <Meta>(
  this: PubSubService,
  options: BufferPublisherOptions<Meta> = {},
) {
  checkRecord('options', options);
  return new BufferPublisher<Meta>(this, options);
};

PubSubService.prototype.bufferPool = async function <Meta>(
  this: PubSubService,
  buffers: readonly (number | readonly number[])[],
  options: BufferPoolOptions<Meta> = {},
) {
  checkRecord('options', options);
  return new BufferPool<Meta>(this, buffers, options);
};

PubSubService.prototype.bufferSubscriber = async function <Meta>(
  this: PubSubService,
  options: BufferSubscriberOptions<Meta> = {},
) {
  checkRecord('options', options);
  return new BufferSubscriber<Meta>(this, options);
};
