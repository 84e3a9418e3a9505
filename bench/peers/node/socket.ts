// Delivery over a Unix stream socket of node:net to each consumer. Each payload follows its size (8 bytes).
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Consumers, endChildren, startChildren } from './children.js';
import { Answers, type Delivery } from './delivery.js';
import { SIZE_BYTES, type SocketReading } from './socket-reading.js';

export class SocketDelivery implements Delivery {
  readonly #server: Server;
  readonly #path: string;
  readonly #children: readonly ChildProcess[];
  readonly #sockets: readonly Socket[];
  readonly #answers: Answers;

  private constructor(
    server: Server,
    path: string,
    children: readonly ChildProcess[],
    sockets: readonly Socket[],
  ) {
    this.#server = server;
    this.#path = path;
    this.#children = children;
    this.#sockets = sockets;
    this.#answers = new Answers(children.length);
    for (const socket of sockets) socket.on('data', (answer) => this.#answers.add(answer.readDoubleLE(0)));
  }

  static async start(consumers: Consumers, reading: SocketReading): Promise<SocketDelivery> {
    const path = join(mkdtempSync(join(tmpdir(), 'sealane-bench-')), 'peer.sock');
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    server.listen(path);
    await once(server, 'listening');
    const module = new URL('./socket-consumer.js', import.meta.url);
    const children = await startChildren(module, consumers, [path, reading], 'json');
    return new SocketDelivery(server, path, children, sockets);
  }

  async deliver(payload: Uint8Array): Promise<readonly number[]> {
    const answers = this.#answers.next();
    const size = Buffer.alloc(SIZE_BYTES);
    size.writeDoubleLE(payload.byteLength);
    for (const socket of this.#sockets) {
      socket.cork();
      socket.write(size);
      socket.write(payload);
      socket.uncork();
    }
    return answers;
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await endChildren(this.#children);
    rmSync(dirname(this.#path), { recursive: true, force: true });
  }
}
