// Delivery through the bus: put once; consumers watch the name and map what appears.
import type { ChildProcess } from 'node:child_process';
import { type Bus, connect } from 'sealane';
import { ANYWHERE, endChildren, startChildren } from '../../peers/node/children.js';
import { Answers, type Delivery } from '../../peers/node/delivery.js';

export const DELIVERY_NAME = 'bench/delivery';

export class BusDelivery implements Delivery {
  readonly #bus: Bus;
  readonly #children: readonly ChildProcess[];
  readonly #answers: Answers;
  #lastId = 0;

  private constructor(bus: Bus, children: readonly ChildProcess[]) {
    this.#bus = bus;
    this.#children = children;
    this.#answers = new Answers(children.length);
    for (const child of children) child.on('message', (bytes) => this.#answers.add(Number(bytes)));
  }

  static async start(consumers: number, socket: string): Promise<BusDelivery> {
    const module = new URL('./bus-consumer.js', import.meta.url);
    const children = await startChildren(module, { count: consumers, core: ANYWHERE }, [socket], 'json');
    return new BusDelivery(await connect({ socket }), children);
  }

  async deliver(payload: Uint8Array): Promise<readonly number[]> {
    const answers = this.#answers.next();
    const info = await this.#bus.put(payload, { name: DELIVERY_NAME });
    this.#lastId = info.id;
    return answers;
  }

  async settle(): Promise<void> {
    await this.#bus.drop(this.#lastId);
  }

  async close(): Promise<void> {
    await endChildren(this.#children);
    await this.#bus.close();
  }
}
