// The C program that sends what Node.js can't: crowds of descriptors, and kinds of them that it can't open.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** Made by scripts/build-peers.mjs. */
const PROGRAM = fileURLToPath(new URL('../../../.cache/peers/crowd', import.meta.url));

/** Attempts of one process. */
const ROUNDS = 20;

export interface Crowd {
  readonly socket: string;
  readonly type: 'packet' | 'stream';
  /** Sent first; its answer is ignored. Empty: nothing is. */
  readonly greeting: Uint8Array;
  readonly packet: Uint8Array;
  /**
   * A sealed memfd, one that was opened with O_PATH, or one of huge pages; or for each a TCP socket of its own that lingers over bytes
   * which nobody accepts, or a Unix socket in whose queue such a one lies.
   */
  readonly kind: 'memfd' | 'path' | 'huge' | 'linger' | 'nested';
  /** 0 to 253. */
  readonly count: number;
  /** Attempts, each on a connection of its own. Default 20. */
  readonly rounds?: number;
}

/** Why the program can't be run here. */
export function crowdHindrance(): string | undefined {
  return existsSync(PROGRAM)
    ? undefined
    : `there is no ${PROGRAM}: node scripts/build-peers.mjs makes it with a C compiler`;
}

/** Sends a crowd some times; gives what came back each time: bytes, or undefined where the connection ended. */
export async function sendCrowd(crowd: Crowd): Promise<(Uint8Array | undefined)[]> {
  const sender = new CrowdSender(crowd);
  sender.end();
  return await sender.answers();
}

/** The program, which lives until it is ended: so long what it sent lingers. */
export class CrowdSender {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #rounds: number;
  #errors = '';

  constructor({ socket, type, greeting, packet, kind, count, rounds = ROUNDS }: Crowd) {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    const args = [socket, type, hex(greeting), hex(packet), kind, String(count), String(rounds)];
    this.#rounds = rounds;
    this.#child = spawn(PROGRAM, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  /** What came back each time: bytes, or undefined where the connection ended. */
  async answers(): Promise<(Uint8Array | undefined)[]> {
    const answers: (Uint8Array | undefined)[] = [];
    for await (const line of createInterface({ input: this.#child.stdout })) {
      answers.push(line === 'closed' ? undefined : new Uint8Array(Buffer.from(line, 'hex')));
      if (answers.length === this.#rounds) return answers;
    }
    throw new Error(this.#errors);
  }

  /** Lets it end once it has sent everything. */
  end(): void {
    this.#child.stdin.end();
  }
}
