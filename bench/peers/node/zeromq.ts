// Delivery by zeromq.js over its ipc transport, a Unix socket: a pair of sockets for each consumer.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Consumers, endChildren, startChildren } from './children.js';
import type { Delivery } from './delivery.js';
import { openPair, type PairSocket } from './zeromq-library.js';

export class ZeromqDelivery implements Delivery {
  readonly #folder: string;
  readonly #pairs: readonly PairSocket[];
  readonly #children: readonly ChildProcess[];

  private constructor(folder: string, pairs: readonly PairSocket[], children: readonly ChildProcess[]) {
    this.#folder = folder;
    this.#pairs = pairs;
    this.#children = children;
  }

  static async start({ count, core }: Consumers): Promise<ZeromqDelivery> {
    const folder = mkdtempSync(join(tmpdir(), 'sealane-bench-'));
    const module = new URL('./zeromq-consumer.js', import.meta.url);
    const pairs: PairSocket[] = [];
    const children: ChildProcess[] = [];
    for (let index = 0; index < count; index++) {
      const address = `ipc://${join(folder, `pair-${index}.sock`)}`;
      const pair = openPair();
      await pair.bind(address);
      pairs.push(pair);
      children.push(...(await startChildren(module, { count: 1, core }, [address], 'json')));
    }
    return new ZeromqDelivery(folder, pairs, children);
  }

  async deliver(payload: Uint8Array): Promise<readonly number[]> {
    for (const pair of this.#pairs) await pair.send(payload);
    return Promise.all(this.#pairs.map(async (pair) => Number(Buffer.concat(await pair.receive()))));
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    for (const pair of this.#pairs) pair.close();
    await endChildren(this.#children);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
