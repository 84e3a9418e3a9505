/**
 * For tests, run as a process of its own: a FUSE file system at the directory given as argument, with one file, that answers all but
 * flush, the first thing that close(2) asks. Says "mounted", and "flush" with the thread that asks for each. It ends after a minute at the latest, which
 * ends all waiting for it: a process that waits can't even be killed.
 */
import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, read, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const LIFE_MS = 60_000;

/** More than the largest write that the kernel sends. */
const REQUEST_BYTES = 1 << 18;

const OPCODE = { lookup: 1, getattr: 3, open: 14, flush: 25, init: 26 };

/** 32-bit words, filled up with zeros to `bytes`. */
function words(bytes: number, values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, 4 * index);
  return buffer;
}

/** struct fuse_attr: the root directory is node 1, the file node 2. */
function attributes(node: number): Buffer {
  const attr = words(88, [node]);
  attr.writeUInt32LE(node === 1 ? 0o40755 : 0o100666, 60);
  attr.writeUInt32LE(1, 64);
  return attr;
}

function bodyOf(opcode: number, node: number): Buffer {
  if (opcode === OPCODE.init) return words(64, [7, 31, 65_536, 0, 0, 65_536]);
  if (opcode === OPCODE.lookup) return Buffer.concat([words(40, [2, 0, 0, 0, 3_600]), attributes(2)]);
  if (opcode === OPCODE.getattr) return Buffer.concat([words(16, [3_600]), attributes(node)]);
  if (opcode === OPCODE.open) return words(16, [1]);
  return Buffer.alloc(0);
}

function answer(device: number, request: Buffer): void {
  const opcode = request.readUInt32LE(4);
  if (opcode === OPCODE.flush) {
    process.stdout.write(`flush ${request.readUInt32LE(32)}\n`);
    return;
  }
  const body = bodyOf(opcode, request.readUInt32LE(16));
  const header = words(16, [16 + body.length]);
  request.copy(header, 8, 8, 16);
  writeSync(device, Buffer.concat([header, body]));
}

async function serve(device: number): Promise<void> {
  const readDevice = promisify(read);
  for (;;) {
    const { bytesRead, buffer } = await readDevice(
      device,
      Buffer.alloc(REQUEST_BYTES),
      0,
      REQUEST_BYTES,
      null,
    );
    answer(device, buffer.subarray(0, bytesRead));
  }
}

async function mount(device: number, at: string): Promise<void> {
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', device];
  const child = spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'hostile', at], { stdio });
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`mount ended with ${status}`);
}

const device = openSync('/dev/fuse', 'r+');
setTimeout(() => process.exit(0), LIFE_MS);
await mount(device, process.argv[2] ?? '');
process.stdout.write('mounted\n');
await serve(device);
