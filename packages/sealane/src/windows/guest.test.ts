/** Windows over the memory of a WebAssembly guest: what the guest sees, what it can do to it, and what memory.grow does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { CONTROL_SEALS, SEAL_SHRINK } from '../os/descriptor.js';
import type { WasmMemory } from '../os/guest-range.js';
import { Memfd } from '../os/memfd.js';
import { SharedMemory } from '../os/shared-memory.js';
import { GUEST_PAGE, makeGuest, makeMemory } from './guest.test.helper.js';
import { collectAll, mapped } from './life.test.helper.js';
import { Window, type WindowOverOptions } from './window.js';

const PAGE = Window.pageSize;

function filled(name: string, count: number, byte: number): Memfd {
  return Memfd.sealed(name, new Uint8Array(count * PAGE).fill(byte));
}

test('a guest reads what is mapped, at the place where it is mapped', () => {
  const memory = makeMemory({ initial: 4 });
  const guest = makeGuest(memory);
  guest.store(GUEST_PAGE - 1, 11);
  guest.store(GUEST_PAGE, 12);
  guest.store(3 * GUEST_PAGE, 13);
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: 2 * GUEST_PAGE });
  using blob = filled('guest reads', 2, 7);
  window.map(PAGE, blob);
  const at = GUEST_PAGE + PAGE;
  const seen = [at - 1, at, at + 2 * PAGE - 1, at + 2 * PAGE].map((address) => guest.load(address));
  assert.deepEqual(seen, [0, 7, 7, 0]);
  // Its own memory around the window is untouched; what the window took over is gone.
  assert.deepEqual([GUEST_PAGE - 1, GUEST_PAGE, 3 * GUEST_PAGE].map(guest.load), [11, 0, 13]);
  assert.equal(window.bytes[PAGE], 7);
  window.unmap(PAGE);
  assert.equal(guest.load(at), 0);
});

test("a guest's write into a blob stays its own", () => {
  const memory = makeMemory({ initial: 2 });
  const guest = makeGuest(memory);
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using blob = filled('guest writes', 1, 7);
  window.map(0, blob);
  guest.store(GUEST_PAGE, 99);
  const read = new Uint8Array(1);
  blob.read(read, 0);
  assert.deepEqual([guest.load(GUEST_PAGE), read[0]], [99, 7]);
});

test("a guest's write into shared memory reaches whoever shares it", () => {
  const memory = makeMemory({ initial: 2 });
  const guest = makeGuest(memory);
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using shared = SharedMemory.create('guest shares', PAGE, CONTROL_SEALS);
  window.map(0, shared, { access: 'read-write' });
  guest.store(GUEST_PAGE + 3, 99);
  assert.equal(new Uint8Array(shared.buffer)[3], 99);
  guest.grow(1);
  guest.store(GUEST_PAGE + 3, 98);
  assert.equal(new Uint8Array(shared.buffer)[3], 98);
});

test('what is mapped stays mapped when the guest grows its memory, and more can be mapped', () => {
  const memory = makeMemory({ initial: 2 });
  const guest = makeGuest(memory);
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using one = filled('before growth', 1, 7);
  using two = filled('after growth', 1, 8);
  window.map(0, one);
  guest.store(GUEST_PAGE + 1, 99);
  const view = window.view();
  for (let round = 0; round < 20; round++) guest.grow(10);
  assert.equal(view.length, 0, 'as every view of a memory that has grown');
  assert.deepEqual([guest.load(GUEST_PAGE), guest.load(GUEST_PAGE + 1)], [7, 99]);
  window.map(PAGE, two);
  assert.deepEqual([guest.load(GUEST_PAGE + PAGE), window.bytes[PAGE]], [8, 8]);
  assert.equal(mapped('before growth'), 1);
  window.unmap(0);
  assert.deepEqual([mapped('before growth'), guest.load(GUEST_PAGE)], [0, 0]);
  // What the guest has got meanwhile can be a window too.
  using added = Window.over(memory, { offset: 100 * GUEST_PAGE, bytes: GUEST_PAGE });
  added.map(0, one);
  assert.equal(guest.load(100 * GUEST_PAGE), 7);
});

test('closing gives the pages back to the guest, as zeros', () => {
  const memory = makeMemory({ initial: 2 });
  const guest = makeGuest(memory);
  const window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using blob = filled('guest closed', 2, 7);
  window.map(0, blob);
  window.map(4 * PAGE, blob);
  window.close();
  window.close();
  assert.deepEqual([mapped('guest closed'), window.closed, guest.load(GUEST_PAGE)], [0, true, 0]);
  guest.store(GUEST_PAGE, 5);
  guest.grow(1);
  assert.equal(guest.load(GUEST_PAGE), 5);
  for (const call of [() => window.bytes, () => window.unmap(0), () => window.map(0, blob)])
    assert.throws(call, { code: 'ERR_SEALANE_CLOSED', message: 'the window is closed' });
});

test('a window keeps its memory, and a memory what is mapped into it; both are collected together', async () => {
  using blob = filled('guest kept', 1, 7);
  const held: { window?: Window; memory?: WasmMemory } = {};
  openWindow(blob, held);
  await collectAll();
  assert.equal(held.window?.bytes[0], 7);
  held.memory = memoryOf(held);
  delete held.window;
  await collectAll();
  assert.equal(new Uint8Array(held.memory.buffer)[GUEST_PAGE], 7);
  assert.throws(() => Window.over(held.memory as WasmMemory, { offset: GUEST_PAGE, bytes: PAGE }), {
    code: 'ERR_SEALANE_OVERLAP',
  });
  memories.clear();
  delete held.memory;
  await collectAll();
  assert.equal(mapped('guest kept'), 0);
});

const memories = new Map<Window, WasmMemory>();

function memoryOf({ window }: { window?: Window }): WasmMemory {
  const memory = window === undefined ? undefined : memories.get(window);
  assert.ok(memory !== undefined);
  memories.clear();
  return memory;
}

/** In functions of their own, so that no local variable keeps anything. */
function openWindow(blob: Memfd, held: { window?: Window }): void {
  const memory = makeMemory({ initial: 2 });
  held.window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  held.window.map(0, blob);
  memories.set(held.window, memory);
}

test('reading only is refused in a guest: its growth would make the pages writable, or abort the process', () => {
  const memory = makeMemory({ initial: 2 });
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using blob = filled('guest reads only', 1, 7);
  assert.throws(() => window.map(0, blob, { access: 'read' }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /memory\.grow/,
  });
  assert.throws(() => window.map(0, blob, { access: 'read-write' }), { errnoName: 'EPERM' });
  assert.deepEqual([window.bytes[0], window.mappings.length], [0, 0]);
});

test('windows over one memory lie apart, until one is closed', () => {
  const memory = makeMemory({ initial: 4 });
  using first = Window.over(memory, { offset: GUEST_PAGE, bytes: 2 * GUEST_PAGE });
  const over = (offset: number, bytes: number) => () => Window.over(memory, { offset, bytes });
  using blob = filled('guest apart', 1, 7);
  first.map(0, blob);
  const overlap = { code: 'ERR_SEALANE_OVERLAP', message: /overlap a window of 131072 at 65536/ };
  assert.throws(over(GUEST_PAGE, PAGE), overlap);
  assert.throws(over(0, GUEST_PAGE + PAGE), overlap);
  assert.throws(over(3 * GUEST_PAGE - PAGE, 2 * PAGE), overlap);
  assert.equal(first.bytes[0], 7);
  using before = over(0, GUEST_PAGE)();
  using after = over(3 * GUEST_PAGE, GUEST_PAGE)();
  first.close();
  using again = over(GUEST_PAGE, 2 * GUEST_PAGE)();
  assert.deepEqual(
    [before, after, again].map((window) => window.closed),
    [false, false, false],
  );
});

test('what is no memory, or no part of it, is refused, and nothing of the guest is touched', () => {
  const memory = makeMemory({ initial: 2 });
  const guest = makeGuest(memory);
  for (let address = 0; address < 2 * GUEST_PAGE; address += PAGE) guest.store(address, 5);
  const over = (target: unknown, options: unknown) => () =>
    Window.over(target as WasmMemory, options as WindowOverOptions);
  const invalid = { code: 'ERR_SEALANE_INVALID_ARGUMENT' };
  const options = { offset: 0, bytes: PAGE };
  const { buffer } = memory;
  const faked = Object.create(Object.getPrototypeOf(memory) as object) as object;
  for (const target of [
    undefined,
    null,
    1,
    'x',
    {},
    { buffer },
    buffer,
    new Uint8Array(buffer),
    faked,
    guest,
  ])
    assert.throws(over(target, options), invalid);
  for (const offset of [-PAGE, 0.5, Number.NaN, 2 * GUEST_PAGE + PAGE, 2 ** 53, '0', 0n, undefined, null])
    assert.throws(over(memory, { ...options, offset }), invalid);
  for (const bytes of [0, -PAGE, 2 * GUEST_PAGE + PAGE, 2 ** 53, Number.POSITIVE_INFINITY, '4096', undefined])
    assert.throws(over(memory, { ...options, bytes }), invalid);
  for (const given of [undefined, null, 0, [], { ...options, more: 1 }])
    assert.throws(over(memory, given), invalid);
  assert.throws(over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE + PAGE }), invalid);
  assert.throws(over(memory, { offset: 1, bytes: PAGE }), { code: 'ERR_SEALANE_MISALIGNED' });
  assert.throws(over(memory, { offset: 0, bytes: PAGE - 1 }), { code: 'ERR_SEALANE_MISALIGNED' });
  for (let address = 0; address < 2 * GUEST_PAGE; address += PAGE) assert.equal(guest.load(address), 5);
});

test('what getters of arguments do is done before the first look at the memory', () => {
  const memory = makeMemory({ initial: 2 });
  let first: Window | undefined;
  const options: WindowOverOptions = {
    offset: GUEST_PAGE,
    get bytes() {
      memory.grow(1);
      first = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
      return 2 * GUEST_PAGE;
    },
  };
  assert.throws(() => Window.over(memory, options), { code: 'ERR_SEALANE_OVERLAP' });
  assert.equal(first?.closed, false);
  first?.close();
});

test('a buffer that is put over that of the memory is not looked at', () => {
  const memory = makeMemory({ initial: 2 });
  const other = new ArrayBuffer(2 * GUEST_PAGE);
  Object.defineProperty(memory, 'buffer', { value: other });
  using window = Window.over(memory, { offset: 0, bytes: PAGE });
  using blob = filled('guest disguised', 1, 7);
  window.map(0, blob);
  assert.deepEqual([makeGuest(memory).load(0), new Uint8Array(other)[0]], [7, 0]);
});

test('memory that can shrink is refused, and the guest keeps reading', () => {
  const memory = makeMemory({ initial: 1 });
  const guest = makeGuest(memory);
  using window = Window.over(memory, { offset: 0, bytes: PAGE });
  using memfd = Memfd.create('guest unsealed', PAGE);
  assert.throws(() => window.map(0, memfd), { code: 'ERR_SEALANE_NOT_SEALED' });
  memfd.seal(SEAL_SHRINK);
  window.map(0, memfd);
  memfd.write(Uint8Array.of(5), 0);
  assert.equal(guest.load(0), 5);
});

test('a window over a shared memory shows to all threads', async () => {
  const memory = makeMemory({ initial: 2, maximum: 4, shared: true });
  using window = Window.over(memory, { offset: GUEST_PAGE, bytes: GUEST_PAGE });
  using blob = filled('guest threads', 1, 7);
  window.map(0, blob);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const read = () => new Uint8Array(workerData.memory.buffer)[${GUEST_PAGE}];
    parentPort.on('message', () => parentPort.postMessage(read()));
    parentPort.postMessage(read());`;
  const worker = new Worker(program, { eval: true, workerData: { memory } });
  assert.equal((await once(worker, 'message'))[0], 7);
  memory.grow(1);
  assert.equal(window.bytes[0], 7);
  window.close();
  worker.postMessage('again');
  assert.equal((await once(worker, 'message'))[0], 0);
  await worker.terminate();
});

test('a Node.js that was started without WebAssembly says so, and has windows of its own addresses', () => {
  const program = `
    const { Window } = await import(${JSON.stringify(new URL('./window.js', import.meta.url).href)});
    Window.reserve(Window.pageSize).close();
    try { Window.over({}, { offset: 0, bytes: 4096 }); } catch (error) { console.log(error.code); }`;
  const words = ['--jitless', '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  assert.match(stdout, /^ERR_SEALANE_UNSUPPORTED_PLATFORM$/m, stderr);
});

/** A memory that can't grow where it is: without the addresses behind it that V8 otherwise reserves. */
const MOVING = `
  import { Window } from ${JSON.stringify(new URL('./window.js', import.meta.url).href)};
  import { Memfd } from ${JSON.stringify(new URL('../os/memfd.js', import.meta.url).href)};
  const blob = Memfd.sealed('moving', new Uint8Array(${PAGE}).fill(7));
  const memory = new WebAssembly.Memory({ initial: 4 });
  const window = Window.over(memory, { offset: ${GUEST_PAGE}, bytes: ${GUEST_PAGE} });
  window.map(0, blob);
  for (let round = 0; round < 10 && !window.closed; round++) memory.grow(200);
  const refusal = (call) => { try { call(); return 'none'; } catch (error) { return error.code + ' ' + error.message; } };
  const refused = [() => window.map(${PAGE}, blob), () => window.unmap(0), () => window.bytes].map(refusal);
  const { closed, mappings } = window;
  window.close();
  const again = Window.over(memory, { offset: ${GUEST_PAGE}, bytes: ${GUEST_PAGE} });
  const copy = new Uint8Array(memory.buffer)[${GUEST_PAGE}];
  again.map(0, blob);
  console.log(JSON.stringify({ closed, mappings, refused, copy, seen: again.bytes[0] }));`;

test('when the growth of a memory moves it, its windows are closed, and addresses that are others’ now are left alone', (t) => {
  const flags = ['--disable-wasm-trap-handler', '--input-type=module', '-e', MOVING];
  const result = spawnSync('prlimit', ['--as=2000000000', process.execPath, ...flags], { encoding: 'utf8' });
  if (result.error !== undefined) return t.skip('there is no prlimit (Debian package util-linux)');
  if (result.status !== 0)
    return t.skip(`Node.js does not run with 2 GB of addresses: ${result.stderr.slice(-200)}`);
  const found = JSON.parse(result.stdout) as { closed: boolean; mappings: unknown[]; refused: string[] };
  if (!found.closed) return t.skip('this Node.js grows every memory where it is');
  assert.deepEqual(found.mappings, []);
  for (const text of found.refused) assert.match(text, /^ERR_SEALANE_CLOSED .*memory\.grow moved the memory/);
  assert.deepEqual(found, { ...found, copy: 0, seen: 7 });
});
