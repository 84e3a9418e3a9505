// The programs that figures are compared with: those in C are compiled and those from registries fetched on first
// use; programs are started, and driven by lines of text.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Place, pinnedCommand } from './pinning.js';

// From bench/dist/harness to the repository's root.
const ROOT = new URL('../../../', import.meta.url);

let built: { readonly failure: string | undefined } | undefined;

/** Compiles what is out of date. Undefined, or why there are no C peers on this machine. */
export function buildPeers(): string | undefined {
  if (built === undefined) {
    const script = fileURLToPath(new URL('scripts/build-peers.mjs', ROOT));
    const run = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    built = { failure: run.status === 0 ? undefined : run.stderr.trim() || 'scripts/build-peers.mjs failed' };
  }
  return built.failure;
}

const fetched = new Map<string, string | undefined>();

/** Gets a peer from its registry and builds it, which takes minutes the first time. Undefined, or why it is not there. */
export function fetchPeer(name: 'iceoryx2' | 'zeromq'): string | undefined {
  if (!fetched.has(name)) {
    const script = fileURLToPath(new URL('scripts/fetch-peers.mjs', ROOT));
    const run = spawnSync(process.execPath, [script, name], { encoding: 'utf8' });
    fetched.set(name, run.status === 0 ? undefined : run.stderr.trim() || 'scripts/fetch-peers.mjs failed');
  }
  return fetched.get(name);
}

function peerPath(name: string): string {
  const path = fileURLToPath(new URL(`.cache/peers/${name}`, ROOT));
  if (!existsSync(path))
    throw new Error(`${path} is missing: run node scripts/build-peers.mjs or scripts/fetch-peers.mjs`);
  return path;
}

/** A program that answers each line on its standard input with one line on its standard output. */
export class Peer implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;
  readonly #name: string;
  #unanswered = 0;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, name: string) {
    this.#child = child;
    this.#name = name;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
  }

  static start(name: string, args: readonly (string | number)[], place: Place = 'anywhere'): Peer {
    const [command = '', ...rest] = pinnedCommand(place, [peerPath(name), ...args.map(String)]);
    return new Peer(spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] }), name);
  }

  /** Sends a line; answers the numbers on the line that comes back. */
  async ask(line: string): Promise<number[]> {
    this.#child.stdin.write(`${line}\n`);
    return (await this.#next(line)).split(' ').map(Number);
  }

  /** For programs that say so: waits until it is ready. */
  async ready(): Promise<void> {
    const line = await this.#next('its start');
    if (line !== 'ready') throw new Error(`the peer ${this.#name} said "${line}" before it was ready`);
  }

  async #next(after: string): Promise<string> {
    this.#unanswered++;
    const answer = await this.#lines.next();
    this.#unanswered--;
    if (answer.done === true) throw new Error(`the peer ${this.#name} ended at "${after}"`);
    return answer.value;
  }

  /** A program in the middle of its work, which another's failure left without a partner, is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#unanswered > 0) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
