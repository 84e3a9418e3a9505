// The C program that sends what Node.js can't: crowds of descriptors, and kinds of them that it can't open.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
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
  /** A sealed memfd, one that was opened with O_PATH, or one of huge pages. */
  readonly kind: 'memfd' | 'path' | 'huge';
  /** 0 to 253. */
  readonly count: number;
}

/** Why the program can't be run here. */
export function crowdHindrance(): string | undefined {
  return existsSync(PROGRAM)
    ? undefined
    : `there is no ${PROGRAM}: node scripts/build-peers.mjs makes it with a C compiler`;
}

/** Sends a crowd some times; gives what came back each time: bytes, or undefined where the connection ended. */
export async function sendCrowd(crowd: Crowd): Promise<(Uint8Array | undefined)[]> {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const { socket, type, greeting, packet, kind, count } = crowd;
  const args = [socket, type, hex(greeting), hex(packet), kind, String(count), String(ROUNDS)];
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const answers: (Uint8Array | undefined)[] = [];
  for await (const line of createInterface({ input: child.stdout }))
    answers.push(line === 'closed' ? undefined : new Uint8Array(Buffer.from(line, 'hex')));
  if (answers.length < ROUNDS) throw new Error(errors);
  return answers;
}
