/** Writing to files, pipes, sockets and devices: nothing blocks, nothing that is shared is changed. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Output } from './output.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

interface Written {
  error: Error | undefined;
  written: number;
}

function write(output: Output, text: string): Promise<Written> {
  return new Promise((resolve) => {
    output.write(Buffer.from(text), (error, written) => resolve({ error, written }));
  });
}

/** Writes all of a text, in as many parts as it takes. */
async function writeAll(output: Output, text: string): Promise<void> {
  for (let rest = text; rest !== ''; ) {
    const { error, written } = await write(output, rest);
    assert.equal(error, undefined);
    rest = rest.slice(written);
  }
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sealane-output-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A named pipe, with a reading end that is open. */
function pipe(t: TestContext): { path: string; reader: number; close: () => void } {
  const path = join(folder(t), 'pipe');
  const made = spawnSync('mkfifo', ['-m', '600', path], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const reader = openSync(path, O_RDONLY | O_NONBLOCK);
  let open = true;
  const close = (): void => {
    if (open) closeSync(reader);
    open = false;
  };
  t.after(close);
  return { path, reader, close };
}

function readAvailable(reader: number): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString('latin1', 0, readSync(reader, bytes));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    return '';
  }
}

function isNonBlocking(fd: number): boolean {
  const [, flags = ''] = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
}

/** More than a pipe or a socket buffers. */
const MUCH = 'x'.repeat(1 << 20);

test('a file is made with mode 0600 and appended to, and what its last line lacks is known', async (t) => {
  const path = join(folder(t), 'file');
  const first = await Output.open(path);
  assert.equal(first.torn, false);
  await writeAll(first, 'one\nhalf');
  await first.close();
  const second = await Output.open(path);
  assert.equal(second.torn, true);
  await writeAll(second, '\ntwo\n');
  await second.close();
  const third = await Output.open(path);
  assert.equal(third.torn, false);
  await third.close();
  assert.equal(readFileSync(path, 'utf8'), 'one\nhalf\ntwo\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a symbolic link, a directory and a pipe that nobody reads are refused', async (t) => {
  const place = folder(t);
  writeFileSync(join(place, 'real'), '');
  symlinkSync(join(place, 'real'), join(place, 'link'));
  await assert.rejects(Output.open(join(place, 'link')), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'ELOOP' });
  await assert.rejects(Output.open(place), {
    errnoName: 'EISDIR',
    message: /^opening .* for writing: EISDIR/,
  });
  const { path, close } = pipe(t);
  close();
  await assert.rejects(Output.open(path), { errnoName: 'ENXIO' });
});

test('a borrowed file keeps its offset for all who share it, and stays open', async (t) => {
  const path = join(folder(t), 'file');
  const fd = openSync(path, 'w');
  t.after(() => closeSync(fd));
  writeSync(fd, 'before\n');
  const output = await Output.borrow(fd);
  await writeAll(output, 'output\n');
  await output.close();
  writeSync(fd, 'after\n');
  assert.equal(readFileSync(path, 'utf8'), 'before\noutput\nafter\n');
});

test('a descriptor that is not open for writing is refused', async (t) => {
  const path = join(folder(t), 'file');
  writeFileSync(path, '');
  const fd = openSync(path, 'r');
  t.after(() => closeSync(fd));
  await assert.rejects(Output.borrow(fd), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  await assert.rejects(Output.borrow(1_000_000), { errnoName: 'EBADF' });
});

test('a full pipe is waited for; who shares it does not become non-blocking', async (t) => {
  const { path, reader } = pipe(t);
  const fd = openSync(path, O_WRONLY);
  t.after(() => closeSync(fd));
  const output = await Output.borrow(fd);
  const all = writeAll(output, MUCH);
  let read = '';
  while (read.length < MUCH.length) {
    read += readAvailable(reader);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  assert.equal(read, MUCH);
  assert.equal(isNonBlocking(fd), false);
  await output.close();
});

test('waiting can be given up, and does not outlive the output', async (t) => {
  const { path } = pipe(t);
  const output = await Output.open(path);
  const first = await write(output, MUCH);
  assert(first.error === undefined && first.written > 0 && first.written < MUCH.length);
  const waiting = write(output, MUCH);
  output.interrupt();
  assert.deepEqual(await waiting, { error: undefined, written: 0 });
  const last = write(output, MUCH);
  await output.close();
  assert.deepEqual(await last, { error: undefined, written: 0 });
  assert.equal((await write(output, 'x')).error?.message, `${path} is closed`);
});

test('a pipe whose reader is gone is an error, also for one who waits; a new reader is served', async (t) => {
  const { path, close } = pipe(t);
  const output = await Output.open(path);
  await write(output, MUCH);
  const waiting = write(output, MUCH);
  close();
  const { error, written } = await waiting;
  assert.equal((error as NodeJS.ErrnoException & { errnoName?: string }).errnoName, 'EPIPE');
  assert.equal(written, 0);
  const reader = openSync(path, O_RDONLY | O_NONBLOCK);
  readAvailable(reader);
  await writeAll(output, 'again\n');
  assert.equal(readAvailable(reader), 'again\n');
  closeSync(reader);
  await output.close();
});

test('a socket is written to, and waited for', async () => {
  // Node.js makes the standard output of a child a socket.
  const program = `
    import { Output } from ${JSON.stringify(new URL('./output.js', import.meta.url).href)};
    const output = await Output.borrow(1);
    for (let rest = Buffer.alloc(${MUCH.length}, 'x'); rest.length > 0; )
      await new Promise((resolve) => output.write(rest, (error, written) => {
        if (error) throw error;
        rest = rest.subarray(written);
        resolve();
      }));
    await output.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let read = '';
  child.stdout.setEncoding('latin1').on('data', (part: string) => {
    read += part;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  assert.equal(read, MUCH);
});

test('a pipe that may not be opened a second time is written to without blocking all the same', async (t) => {
  if (process.getuid?.() !== 0) {
    t.skip('only root can hand a pipe of its own to another user');
    return;
  }
  const { path, reader } = pipe(t);
  const fd = openSync(path, O_WRONLY);
  // It loads what it needs while it may; as another user it may not open the pipe. It ends although nobody reads on.
  const program = `
    import { Output } from ${JSON.stringify(new URL('./output.js', import.meta.url).href)};
    process.setgid(65534);
    process.setuid(65534);
    const output = await Output.borrow(3);
    output.write(Buffer.alloc(${MUCH.length}), (error, written) => {
      console.log(error === undefined && written > 0);
      output.write(Buffer.alloc(10), () => undefined);
      setTimeout(() => process.exit(0), 10);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    printed += part;
  });
  const [code] = await once(child, 'close');
  closeSync(fd);
  assert.equal(code, 0);
  assert.equal(printed, 'true\n');
  assert(readAvailable(reader).length > 0);
});

test('devices are written to; a full one is an error', async () => {
  const nothing = await Output.open('/dev/null');
  await writeAll(nothing, MUCH);
  await nothing.close();
  const full = await Output.open('/dev/full');
  const { error, written } = await write(full, 'x');
  assert.equal(written, 0);
  assert.match(error?.message ?? '', /^writing to \/dev\/full: ENOSPC/);
  await full.close();
});

test('closing waits for a write under way, and leaves no descriptor', async (t) => {
  const path = join(folder(t), 'file');
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 20; round++) {
    const output = await Output.open(path);
    let done = false;
    output.write(Buffer.from('line\n'), () => {
      done = true;
    });
    await output.close();
    await output.close();
    assert(done);
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.equal(readFileSync(path, 'utf8'), 'line\n'.repeat(20));
});
