// The load generator at one broker: connections that each keep one request outstanding, see bench/peers/request_load.c.
import { Peer } from '../harness/peers.js';

export interface LoadResult {
  readonly answered: number;
  readonly perSecond: number;
}

export class RequestLoad implements AsyncDisposable {
  readonly #peer: Peer;
  readonly #durationMs: number;

  private constructor(peer: Peer, durationMs: number) {
    this.#peer = peer;
    this.#durationMs = durationMs;
  }

  /** Connects, and runs once unmeasured. `packets`: the hello, then what is sent in turn, in hex. `durationMs`: of each run. */
  static async start(
    socket: string,
    connections: number,
    packets: readonly string[],
    durationMs: number,
  ): Promise<RequestLoad> {
    const peer = Peer.start('request_load', [socket, connections, ...packets], 'client');
    const load = new RequestLoad(peer, durationMs);
    await load.run();
    return load;
  }

  /** One run: requests that were answered, and how many that is in a second. */
  async run(): Promise<LoadResult> {
    const [answered = 0, nanoseconds = 1] = await this.#peer.ask(`run ${this.#durationMs}`);
    return { answered, perSecond: (answered / nanoseconds) * 1e9 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}
