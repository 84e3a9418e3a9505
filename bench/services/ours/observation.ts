// Somebody who looks at the figures of all nodes of a domain every second, as `sealane top` does.
import { observe } from 'sealane';

export class Observation implements AsyncDisposable {
  readonly #controller = new AbortController();
  #done: Promise<void> = Promise.resolve();

  /** Resolves when that many nodes are observed. */
  static start(directory: string, nodes: number): Promise<Observation> {
    const observation = new Observation();
    return new Promise((resolve, reject) => {
      observation.#done = observation.#follow(directory, nodes, () => resolve(observation)).catch(reject);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#done;
  }

  async #follow(directory: string, count: number, begun: () => void): Promise<void> {
    const { signal } = this.#controller;
    try {
      for await (const { nodes } of observe({ directory, signal }))
        if (nodes.filter(({ observed }) => observed).length === count) begun();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
