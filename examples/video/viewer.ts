/** What both consumers share: finding the service, which may come later than they do, and receiving its newest frames. */
import { isSealaneError, Node, type PubSubService, type Sample } from 'sealane';
import { closeOnSignal, type Reporter, SERVICE, type Shape, toShape } from './shape.js';

/** Hands each frame to `use`, in the publisher's memory, until the process is ended. */
export async function viewFrames(
  name: string,
  reporter: Reporter,
  use: (frame: Sample, shape: Shape) => Promise<void> | void,
): Promise<void> {
  await using node = await Node.create({ name });
  closeOnSignal(node);
  await using service = await openWhenThere(node);
  const shape = toShape(service.attributes);
  await using subscriber = await service.subscriber();
  for (;;) {
    using frame = await subscriber.next();
    reporter.received(frame);
    await use(frame, shape);
  }
}

async function openWhenThere(node: Node): Promise<PubSubService> {
  const events = node.events();
  for (;;) {
    try {
      return await node.service(SERVICE).openPublishSubscribe({ attributes: { format: 'rgba' } });
    } catch (error) {
      if (!isSealaneError(error, 'ERR_SEALANE_NO_SERVICE')) throw error;
    }
    await events.next();
  }
}
