/** The addon is found, loaded when it is needed, and survives every argument. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addon, addonPath, interpreterKind, libcKind, mappedKind, type NativeHandle } from './addon.js';

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
  assert.match(
    load({ SEALANE_ADDON: path }),
    /^ERR_SEALANE_UNSUPPORTED_PLATFORM .*missing\.node, which SEALANE_ADDON/,
  );
});

test('where no binary fits the machine, the error names those that there are', () => {
  const pretend = "Object.defineProperty(process, 'arch', { value: 'riscv64' });";
  const message = load({ SEALANE_ADDON: '' }, pretend);
  assert.match(message, /^ERR_SEALANE_UNSUPPORTED_PLATFORM .* no native addon for linux-riscv64-/);
  assert.match(message, /linux-riscv64-.*sealane\.node; there is .*linux-(x64|arm64)-(glibc|musl)/);
});

test('the C library is told by the program interpreter that an executable names', () => {
  assert.equal(interpreterKind('\x7fELF\0/lib64/ld-linux-x86-64.so.2\0'), 'glibc');
  assert.equal(interpreterKind('\x7fELF\0/lib/ld-linux-aarch64.so.1\0'), 'glibc');
  assert.equal(interpreterKind('\x7fELF\0/lib/ld-musl-aarch64.so.1\0'), 'musl');
  assert.equal(interpreterKind('\x7fELF\0'), undefined);
});

test('where no interpreter is named, the C library is told by what is mapped', () => {
  const line = (path: string) => `7fa684e71000-7fa684e85000 r-xp 00014000 fe:00 1013422    ${path}\n`;
  assert.equal(mappedKind(line('/lib/x86_64-linux-gnu/libc.so.6') + line('/srv/libc.so/x')), 'glibc');
  assert.equal(mappedKind(line('/usr/lib/libc-2.28.so')), 'glibc');
  assert.equal(mappedKind(line('/app/x.node') + line('/usr/lib/x86_64-linux-musl/libc.so')), 'musl');
  assert.equal(mappedKind(line('/lib/ld-musl-x86_64.so.1')), 'musl');
  assert.equal(mappedKind(''), 'glibc');
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
    const drawn = Array.from({ length: next(6) }, () => values[next(values.length)]);
    const args = name === 'mapPopulated' ? drawn.map(withoutGigabytes) : drawn;
    errors += await callSafely(Reflect.get(native, name), args);
  }
  assert(errors > 10_000);
});

/** What populates memory is not asked for more than any machine has to spare. */
function withoutGigabytes(value: unknown): unknown {
  return value === 2 ** 31 ? 8192 : value;
}

/** 1 if the call threw or rejected. What it made is closed. */
async function callSafely(call: (...args: unknown[]) => unknown, args: unknown[]): Promise<number> {
  try {
    release(call.name, await call(...args));
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
  'readinessOpen',
  'inotifyOpen',
]);

function release(name: string, result: unknown): void {
  const native = addon();
  if (name === 'mapPopulated') {
    const [fd, mapping] = result as [number, NativeHandle];
    native.mappingClose(mapping);
    native.close(fd);
  }
  if (MAKERS.has(name) && typeof result === 'number' && result >= 0) native.close(result);
  if (name !== 'socketPair') return;
  const [first, second] = [native.scratch[0] as number, native.scratch[1] as number];
  native.close(first);
  native.close(second);
}
