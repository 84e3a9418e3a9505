/** The addon is found, loaded when it is needed, and survives every argument. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addon, addonPath, libcKind } from './addon.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-addon-'));
after(() => rmSync(folder, { recursive: true }));

const MODULE = JSON.stringify(new URL('./addon.js', import.meta.url).href);

/** Runs a program that tries to load the addon; answers what it printed. */
function load(environment: Record<string, string>, before = ''): string {
  const program = `${before}
    const { addon } = await import(${MODULE});
    try {
      addon();
      console.log('loaded');
    } catch (error) {
      console.log(error.code, error.message);
    }`;
  const env = { ...process.env, ...environment };
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env,
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

test('there is one addon, at its place or where SEALANE_ADDON says', () => {
  assert.equal(addon(), addon());
  assert(existsSync(addonPath()));
  const { SEALANE_ADDON } = process.env;
  if (SEALANE_ADDON !== undefined && SEALANE_ADDON !== '') assert.equal(addonPath(), SEALANE_ADDON);
  else assert(addonPath().endsWith(`/prebuilds/linux-${process.arch}-${libcKind()}/sealane.node`));
});

test('a missing addon is an unsupported platform, with the place where it was looked for', () => {
  const path = join(folder, 'missing.node');
  assert.match(load({ SEALANE_ADDON: path }), /^ERR_SEALANE_UNSUPPORTED_PLATFORM .*missing\.node; build it/);
});

test('an addon that can not be loaded is an unsupported platform, with the reason', () => {
  const path = join(folder, 'broken.node');
  writeFileSync(path, 'not a library');
  assert.match(load({ SEALANE_ADDON: path }), /^ERR_SEALANE_UNSUPPORTED_PLATFORM .*can't be loaded: Error: /);
});

test('on another platform importing works, and use is refused', () => {
  const pretend = "Object.defineProperty(process, 'platform', { value: 'darwin' });";
  assert.match(load({}, pretend), /^ERR_SEALANE_UNSUPPORTED_PLATFORM .*needs Linux; this is darwin/);
});

/** Values of every kind that a function may be called with by mistake. None is a descriptor that is open. */
function strangeValues(): unknown[] {
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const hostile = new Proxy([], {
    get() {
      throw new RangeError('hostile');
    },
  });
  const numbers = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53, 1_000_000];
  const texts = ['', 'a\0b', '/nonexistent/path', 'x'.repeat(5000)];
  const arrays = [
    [],
    [{}],
    [1, 2, 3, 4, 5, 6],
    hostile,
    detached,
    new Uint8Array(0),
    new Uint8Array(8),
    new Float64Array(2),
  ];
  return [undefined, null, true, 10n, Symbol('s'), {}, () => {}, ...numbers, ...texts, ...arrays];
}

test('no argument of any function makes the process crash: what does not fit is an error', async () => {
  const native = addon();
  const values = [...strangeValues(), native.digestCreate()];
  const skipped = new Set(['digestFree', 'digestFinish']);
  const names = Object.keys(native).filter((name) => name !== 'scratch' && !skipped.has(name));
  let state = 1;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  let errors = 0;
  for (let round = 0; round < 50_000; round++) {
    const name = names[next(names.length)] ?? '';
    const args = Array.from({ length: next(6) }, () => values[next(values.length)]);
    errors += await callSafely(Reflect.get(native, name), args);
  }
  assert(errors > 10_000);
});

/** 1 if the call threw or rejected. What it made is closed. */
async function callSafely(call: (...args: unknown[]) => unknown, args: unknown[]): Promise<number> {
  try {
    const result = call(...args);
    if (result instanceof Promise) await result;
    release(call.name, result);
    return 0;
  } catch (error) {
    assert(error instanceof Error);
    return 1;
  }
}

/** Functions that return a descriptor, or put two beside it. */
const MAKERS = new Set([
  'memfdCreate',
  'memfdSealed',
  'socketConnect',
  'socketListen',
  'socketAccept',
  'lockAcquire',
  'duplicate',
  'epollOpen',
]);

function release(name: string, result: unknown): void {
  const native = addon();
  if (MAKERS.has(name) && typeof result === 'number' && result >= 0) native.close(result);
  if (name !== 'socketPair') return;
  const [first, second] = [native.scratch[0] as number, native.scratch[1] as number];
  native.close(first);
  native.close(second);
}
