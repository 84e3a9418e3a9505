// Commands of nodes and services in a directory of their own, for tests: those that run beside the test, and those that end by themselves.
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEALANE } from './command.test.helper.js';

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

/** A command that runs beside the test. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout: Buffer[] = [];

  constructor(words: readonly string[], env: NodeJS.ProcessEnv, input?: string | Buffer) {
    const child = spawn(SEALANE, words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // A command that ends early does not read all.
    child.stdin.on('error', () => undefined);
    if (input !== undefined) child.stdin.end(input);
    this.child = child;
    this.ended = once(child, 'close').then(([status, signal]) => ({
      status,
      signal,
      stdout: Buffer.concat(this.#stdout),
      stderr,
    }));
  }

  /** Resolves once it has printed that many lines. */
  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = Buffer.concat(this.#stdout).toString('utf8').split('\n').slice(0, -1);
      if (lines.length >= count) return lines;
      if (this.child.stdout === null) throw new Error('no output');
      await once(this.child.stdout, 'data');
    }
  }

  async stop(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return await this.ended;
  }
}

/** The folder in which the nodes of a test find each other, and what runs there. */
export class Playground {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealane-messaging-'));
  readonly env: NodeJS.ProcessEnv = { ...process.env, SEALANE_DIR: this.folder, NO_COLOR: '1' };

  constructor() {
    for (const name of ['FORCE_COLOR', 'NODE_OPTIONS', 'NODE_DEBUG']) delete this.env[name];
  }

  readonly start = (words: string, input?: string | Buffer): Running =>
    new Running(words.split(' '), this.env, input);

  readonly run = (words: string, input = ''): SpawnSyncReturns<string> =>
    spawnSync(SEALANE, words.split(' '), { env: this.env, input, encoding: 'utf8' });

  readonly json = (line: string | undefined): Record<string, unknown> =>
    JSON.parse(line ?? '') as Record<string, unknown>;

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
