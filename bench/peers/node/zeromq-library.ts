// The part of zeromq.js that the benchmark uses, loaded from where scripts/fetch-peers.mjs installed it: it is no
// dependency of the repository, so its types are stated here.
import { createRequire } from 'node:module';

/** A socket for one peer on each side, as messages of several parts. */
export interface PairSocket {
  bind(address: string): Promise<void>;
  connect(address: string): void;
  send(message: Uint8Array | string): Promise<void>;
  receive(): Promise<Uint8Array[]>;
  close(): void;
}

interface Library {
  readonly Pair: new () => PairSocket;
}

// From bench/dist/peers/node to the repository's root.
const INSTALLED = new URL('../../../../.cache/peers/zeromq/package.json', import.meta.url);

export function openPair(): PairSocket {
  const { Pair } = createRequire(INSTALLED)('zeromq') as Library;
  return new Pair();
}
