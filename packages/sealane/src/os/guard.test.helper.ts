/** A process of the tests of guarded mappings: writes into one, and does what its argument names about signals. Says what comes of it. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { SEAL_FUTURE_WRITE } from './descriptor.js';
import { guardedWrites, Mapping } from './mapping.js';
import { Memfd } from './memfd.js';

const [role = '', faults = ''] = isMainThread ? process.argv.slice(2) : (workerData as string[]);

/** Also when the process is about to end. */
const say = (line: unknown) => writeSync(1, `${line}\n`);

function guarded(): Mapping {
  const memfd = Memfd.create('guarded', 65_536);
  const owner = Mapping.shared(memfd.fd, 0, 65_536);
  owner.bytes.fill(7);
  memfd.seal(SEAL_FUTURE_WRITE);
  const mapping = Mapping.guarded(memfd.fd, 65_536, 4_096);
  memfd.close();
  return mapping;
}

/** A write that is survived, and what is restored then. */
function misuse(mapping: Mapping): void {
  mapping.bytes[5_000] = 1;
  say(`wrote ${mapping.bytes[5_000]}, restored ${mapping.restore()} to ${mapping.bytes[5_000]}`);
}

/** What faults.c does when it is loaded with this in the environment. */
function fault(what: string): void {
  process.env.SEALANE_FAULT = what;
  process.dlopen({ exports: {} }, faults);
}

/** A module with a function that reads the memory of one page at any address, and one that ends in `unreachable`. */
const WASM = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0],
  ...[1, 9, 2, 96, 1, 127, 1, 127, 96, 0, 0],
  ...[3, 3, 2, 0, 1],
  ...[5, 3, 1, 0, 1],
  ...[7, 14, 2, 4, 114, 101, 97, 100, 0, 0, 3, 101, 110, 100, 0, 1],
  ...[10, 13, 2, 7, 0, 32, 0, 40, 2, 0, 11, 3, 0, 0, 11],
]);

/** As far as it is used here: the types of Node.js 20 lack it. */
const { Module, Instance } = Reflect.get(globalThis, 'WebAssembly') as {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: Record<string, (address?: number) => number> };
};

/** The messages of both of WebAssembly's errors. */
function traps(): string {
  const { read, end } = new Instance(new Module(WASM)).exports;
  return [() => read?.(-100), () => end?.()].map(thrown).join(', ');
}

function thrown(call: () => unknown): string {
  try {
    return `no error, but ${call()}`;
  } catch (error) {
    return String(error);
  }
}

/** Sends itself the signal, and waits for the listener to be told, or for the end. */
async function kill(): Promise<void> {
  const told = once(process, 'SIGSEGV');
  // A listener alone keeps no event loop going.
  const timer = setInterval(() => {}, 1_000);
  process.kill(process.pid, 'SIGSEGV');
  await told;
  clearInterval(timer);
  say('told');
}

const ROLES: Record<string, () => unknown> = {
  traps() {
    say(traps());
    const mapping = guarded();
    const messages = new Set<string>();
    for (let round = 0; round < 200; round++) {
      mapping.bytes.fill(round, 0, 40_000);
      messages.add(traps());
      mapping.restore();
    }
    say([...messages].join());
    misuse(mapping);
  },
  crash() {
    misuse(guarded());
    fault(process.argv[4] ?? '');
    say('alive');
  },
  'foreign write'() {
    misuse(guarded());
    Mapping.sharedReadOnly(Memfd.create('unguarded', 10).fd, 0, 10).bytes[0] = 1;
    say('alive');
  },
  killed() {
    misuse(guarded());
    process.kill(process.pid, 'SIGSEGV');
    // Until it has come.
    setInterval(() => {}, 1_000);
  },
  async 'listener before'() {
    process.on('SIGSEGV', () => {});
    misuse(guarded());
    await kill();
    misuse(guarded());
    await kill();
  },
  async 'listener for a while'() {
    misuse(guarded());
    // For as long as it waits.
    await kill();
    const mapping = guarded();
    misuse(mapping);
    say(traps());
  },
  'handler later'() {
    const mapping = guarded();
    misuse(mapping);
    fault('chaining handler');
    misuse(mapping);
    misuse(guarded());
    say(traps());
    fault('null write');
  },
  'handler before'() {
    fault('leaving handler');
    misuse(guarded());
    fault('null write');
  },
  'ignored before'() {
    fault('ignoring');
    misuse(guarded());
    process.kill(process.pid, 'SIGSEGV');
    say('alive');
    fault('null write');
  },
  async 'worker only'() {
    const worker = new Worker(new URL(import.meta.url), { workerData: ['worker'] });
    await new Promise((resolve) => worker.once('exit', resolve));
    for (let round = 0; round < 3; round++) say(traps());
    misuse(guarded());
  },
  worker() {
    misuse(guarded());
    say(traps());
  },
  'left modified'() {
    guarded().bytes.fill(1);
  },
  async threads() {
    const workers = [0, 1, 2].map(() => new Worker(new URL(import.meta.url), { workerData: ['busy'] }));
    const codes = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    say((await Promise.all(codes)).join());
    say(guardedWrites()[0] === 6_000);
  },
  busy() {
    for (let round = 0; round < 1_000; round++) {
      using mapping = guarded();
      mapping.bytes[round] = 1;
      mapping.bytes[60_000] = 1;
      if (mapping.restore().length !== 2 || mapping.bytes[round] !== 7 || mapping.bytes[60_000] !== 7)
        throw new Error(`round ${round}`);
    }
  },
};

await ROLES[role]?.();
