/** Watchers on real sockets, on this thread's event loop, in processes and in workers that end under them. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SealaneError } from '../base/errors.js';
import { UnixSocket } from './unix-socket.js';
import { Watcher } from './watcher.js';

const URLS = {
  socket: JSON.stringify(new URL('./unix-socket.js', import.meta.url).href),
  watcher: JSON.stringify(new URL('./watcher.js', import.meta.url).href),
};
const IMPORTS = `
  const { UnixSocket } = await import(${URLS.socket});
  const { Watcher } = await import(${URLS.watcher});
  const [one, two] = UnixSocket.pair();`;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Some turns of the event loop: more than a poll needs to report. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn();
}

/** A pair of sockets and a watcher of the second, which notes what it is told. */
class Scene implements Disposable {
  readonly one: UnixSocket;
  readonly two: UnixSocket;
  readonly watcher: Watcher;
  readonly calls: string[] = [];
  onCall: (() => void) | undefined;

  constructor() {
    [this.one, this.two] = UnixSocket.pair();
    this.watcher = new Watcher(this.two.fd, (readable, writable) => {
      this.calls.push(`${readable ? 'r' : ''}${writable ? 'w' : ''}`);
      this.onCall?.();
    });
  }

  [Symbol.dispose](): void {
    this.watcher.close();
    this.one.close();
    this.two.close();
  }
}

test('a watcher says nothing before something is wanted, and then what holds', async () => {
  using scene = new Scene();
  scene.one.send(Buffer.from('x'));
  await turns();
  assert.deepEqual(scene.calls, []);
  const called = new Promise<void>((resolve) => {
    scene.onCall = resolve;
  });
  scene.watcher.want(true, false);
  await called;
  assert.equal(scene.calls[0], 'r');
});

test('it is level-triggered: it says so again until the packet was received', async () => {
  using scene = new Scene();
  scene.one.send(Buffer.from('x'));
  await new Promise<void>((resolve) => {
    scene.onCall = () => {
      if (scene.calls.length < 3) return;
      scene.two.receive(Buffer.alloc(1));
      resolve();
    };
    scene.watcher.want(true, false);
  });
  await turns();
  assert.deepEqual(scene.calls, ['r', 'r', 'r']);
});

test('what is wanted can change, also inside the callback', async () => {
  using scene = new Scene();
  await new Promise<void>((resolve) => {
    scene.onCall = () => {
      scene.watcher.want(false, false);
      resolve();
    };
    scene.watcher.want(true, true);
  });
  await turns();
  assert.deepEqual(scene.calls, ['w']);
});

test('the end and the reset of a connection wake whoever waits to read, and whoever waits to write', async () => {
  for (const [readable, writable] of [
    [true, false],
    [false, true],
  ] as const) {
    for (const reset of [false, true]) {
      using scene = new Scene();
      if (!readable) while (scene.two.send(Buffer.alloc(50_000)) === 'sent');
      else if (reset) scene.two.send(Buffer.from('never read'));
      const called = new Promise<void>((resolve) => {
        scene.onCall = () => {
          scene.watcher.close();
          resolve();
        };
      });
      scene.watcher.want(readable, writable);
      scene.one.close();
      await called;
      assert.equal(scene.two.receive(Buffer.alloc(1)), 'end');
    }
  }
});

test('a reset that nobody looks at does not end the watching', async () => {
  using scene = new Scene();
  scene.two.send(Buffer.from('never read'));
  scene.watcher.want(true, false);
  scene.one.close();
  await new Promise<void>((resolve) => {
    scene.onCall = () => {
      if (scene.calls.length === 3) resolve();
    };
  });
});

test('no callback comes after close, also when close happens in another callback of the same turn', async () => {
  using first = new Scene();
  using second = new Scene();
  first.onCall = () => second.watcher.close();
  second.onCall = () => first.watcher.close();
  first.one.send(Buffer.from('x'));
  second.one.send(Buffer.from('x'));
  first.watcher.want(true, false);
  second.watcher.want(true, false);
  await turns();
  const [told, silent] = first.calls.length > 0 ? [first, second] : [second, first];
  assert(told.calls.length > 0);
  assert.deepEqual(silent.calls, []);
});

test('after close the descriptor can be closed and its number watched anew', async () => {
  const scene = new Scene();
  const { fd } = scene.two;
  scene.watcher.want(true, true);
  scene[Symbol.dispose]();
  using again = new Scene();
  assert([again.one.fd, again.two.fd].includes(fd));
  again.one.send(Buffer.from('x'));
  const called = new Promise<void>((resolve) => {
    again.onCall = resolve;
  });
  again.watcher.want(true, false);
  await called;
  assert.equal(again.calls[0], 'r');
  await turns();
  assert.deepEqual(scene.calls, []);
});

test('a closed watcher says so, and closing it again does nothing', () => {
  using scene = new Scene();
  scene.watcher.close();
  scene.watcher.close();
  for (const use of [
    () => scene.watcher.want(true, true),
    () => scene.watcher.ref(),
    () => scene.watcher.unref(),
  ]) {
    assert.throws(use, (error) => error instanceof SealaneError && error.code === 'ERR_SEALANE_CLOSED');
  }
});

test('what can not be watched is refused: an ordinary file, a descriptor that is watched, a wrong argument', () => {
  const hasErrno = (name: string) => (error: unknown) =>
    error instanceof SealaneError && error.errnoName === name;
  const file = openSync('/proc/self/exe', 'r');
  assert.throws(() => new Watcher(file, () => {}), hasErrno('EPERM'));
  closeSync(file);
  using scene = new Scene();
  scene.watcher.want(true, false);
  assert.throws(() => new Watcher(scene.two.fd, () => {}), hasErrno('EEXIST'));
  assert.throws(() => new Watcher(scene.one.fd, undefined as unknown as () => void), TypeError);
  assert.throws(() => new Watcher(-1, () => {}), TypeError);
});

test('microtasks and next ticks run before the next callback, in the async context of the watcher', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: string[] = [];
  using scene = storage.run('made here', () => new Scene());
  using other = new Scene();
  const done = new Promise<void>((resolve) => {
    other.onCall = () => {
      seen.push('other');
      other.watcher.close();
      if (seen.length === 4) resolve();
    };
    scene.onCall = () => {
      seen.push(String(storage.getStore()));
      scene.watcher.close();
      process.nextTick(() => seen.push('tick'));
      void Promise.resolve().then(() => {
        seen.push('microtask');
        if (seen.length === 4) resolve();
      });
    };
  });
  for (const each of [scene, other]) {
    each.one.send(Buffer.from('x'));
    each.watcher.want(true, false);
  }
  await done;
  const at = seen.indexOf('made here');
  assert.deepEqual(seen.slice(at, at + 3), ['made here', 'tick', 'microtask']);
});

test('an exception in the callback is an uncaught exception of the process', () => {
  const program = `${IMPORTS}
    let count = 0;
    process.on('uncaughtException', (error) => {
      console.log(error.message, ++count);
      if (count === 2) watcher.close();
    });
    const watcher = new Watcher(two.fd, () => { throw new Error('thrown'); });
    watcher.want(false, true);`;
  assert.equal(runProgram(program), 'thrown 1\nthrown 2');
});

test('a watcher that wants something keeps the process alive, and not when it is unref-ed or wants nothing', () => {
  const watch = `${IMPORTS} const watcher = new Watcher(two.fd, () => {}); process.on('exit', () => console.log('exit'));`;
  assert.equal(runProgram(`${watch} watcher.want(true, false); watcher.unref();`), 'exit');
  assert.equal(runProgram(`${watch} watcher.want(true, false); watcher.want(false, false);`), 'exit');
  assert.equal(runProgram(`${watch} watcher.want(true, false); watcher.close();`), 'exit');
  const alive = `${watch} watcher.want(true, false); setTimeout(() => { console.log('alive'); watcher.close(); }, 50).unref();`;
  assert.equal(runProgram(alive), 'alive\nexit');
});

function runProgram(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();
}

test('process.exit with open watchers, also inside a callback, ends with its code', () => {
  const program = `${IMPORTS}
    const idle = new Watcher(one.fd, () => {});
    idle.want(true, false);
    new Watcher(two.fd, () => process.exit(7)).want(false, true);`;
  const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.deepEqual([status, signal, stderr], [7, null, '']);
});

/** What a worker does before it ends: watchers that are open, that want something, that are closed. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    ${IMPORTS}
    const busy = new Watcher(one.fd, () => { if (workerData === 'in callback') process.exit(0); });
    const idle = new Watcher(two.fd, () => {});
    idle.want(true, false);
    new Watcher(UnixSocket.pair()[0].fd, () => {});
    new Watcher(UnixSocket.pair()[0].fd, () => {}).close();
    parentPort.postMessage('ready');
    busy.want(false, workerData !== 'exit');
    if (workerData === 'exit') process.exit(0);
    if (workerData === 'throw') throw new Error('on purpose');
  })()`;

for (const end of ['terminate', 'exit', 'in callback', 'throw']) {
  test(`a worker with open watchers ends cleanly (${end})`, async () => {
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(WORKER, { eval: true, workerData: end });
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      worker.on('error', (error) => assert.equal(error.message, 'on purpose'));
      await new Promise((resolve) => worker.once('message', resolve));
      if (end === 'terminate') await worker.terminate();
      await ended;
    }
  });
}
