// Delivery by child_process messages with serialization 'advanced', which carries a Uint8Array as bytes.
import type { ChildProcess } from 'node:child_process';
import { type Consumers, endChildren, startChildren } from './children.js';
import { Answers, type Delivery } from './delivery.js';

export class ChildDelivery implements Delivery {
  readonly #children: readonly ChildProcess[];
  readonly #answers: Answers;

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
    this.#answers = new Answers(children.length);
    for (const child of children) child.on('message', (bytes) => this.#answers.add(Number(bytes)));
  }

  static async start(consumers: Consumers): Promise<ChildDelivery> {
    const module = new URL('./child-consumer.js', import.meta.url);
    return new ChildDelivery(await startChildren(module, consumers, [], 'advanced'));
  }

  async deliver(payload: Uint8Array): Promise<readonly number[]> {
    const answers = this.#answers.next();
    for (const child of this.#children) child.send(payload);
    return answers;
  }

  async settle(): Promise<void> {}

  close(): Promise<void> {
    return endChildren(this.#children);
  }
}
