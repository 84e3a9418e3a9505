// Delivery by postMessage to worker threads of the producer's process: a structured clone for each.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Answers, type Delivery } from './delivery.js';

export class WorkerDelivery implements Delivery {
  readonly #workers: readonly Worker[];
  readonly #answers: Answers;

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
    this.#answers = new Answers(workers.length);
    for (const worker of workers) worker.on('message', (bytes: number) => this.#answers.add(bytes));
  }

  static async start(consumers: number): Promise<WorkerDelivery> {
    const module = new URL('./worker-consumer.js', import.meta.url);
    const workers = Array.from({ length: consumers }, () => new Worker(module));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    return new WorkerDelivery(workers);
  }

  async deliver(payload: Uint8Array): Promise<readonly number[]> {
    const answers = this.#answers.next();
    for (const worker of this.#workers) worker.postMessage(payload);
    return answers;
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
