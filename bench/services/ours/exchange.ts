// Our way of the comparison with what Node.js users have: the payload is written into a loaned sample, the consumers,
// each a process with its subscriber in the event loop, answer with samples.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Node, type Publisher, type Subscriber } from 'sealane';
import { type Consumers, endChildren, startChildren } from '../../peers/node/children.js';
import type { Exchange } from '../sides.js';
import { ANSWER_BYTES, BACK, MAX_PAYLOAD_BYTES, settingsOf, THERE } from './exchange-names.js';

interface Parts {
  readonly directory: string;
  readonly children: readonly ChildProcess[];
  readonly node: Node;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
}

/** Ready once all consumers are connected both ways. */
async function openPorts(node: Node, consumers: number): Promise<Pick<Parts, 'publisher' | 'subscriber'>> {
  const there = await node.service(THERE).publishSubscribe(settingsOf(MAX_PAYLOAD_BYTES, consumers));
  const back = await node.service(BACK).publishSubscribe(settingsOf(ANSWER_BYTES, 1));
  const publisher = await there.publisher({ prefault: true });
  const subscriber = await back.subscriber();
  await publisher.connected(consumers);
  await subscriber.connected(consumers);
  return { publisher, subscriber };
}

export class OurExchange implements Exchange {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The process that calls this is the producer; it may be pinned, and then knows no cores itself. */
  static async start(consumers: Consumers): Promise<OurExchange> {
    const directory = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
    const module = new URL('./exchange-consumer.js', import.meta.url);
    const args = [directory, String(consumers.count)];
    const children = await startChildren(module, consumers, args, 'json');
    const node = await Node.create({ name: 'producer', directory });
    return new OurExchange({ directory, children, node, ...(await openPorts(node, consumers.count)) });
  }

  async deliver(size: number, write: (into: Uint8Array) => void): Promise<readonly number[]> {
    const { publisher, subscriber, children } = this.#parts;
    const loan = publisher.loan(size);
    write(loan.bytes);
    loan.send();
    const seen: number[] = [];
    while (seen.length < children.length) {
      using answer = await subscriber.next();
      const { buffer, byteOffset } = answer.bytes;
      seen.push(new DataView(buffer, byteOffset).getFloat64(0, true));
    }
    return seen;
  }

  async close(): Promise<void> {
    const { directory, children, node } = this.#parts;
    await endChildren(children);
    node.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
