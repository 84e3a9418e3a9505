// A C program that speaks memfdbus v1 against the real broker of the command: what it puts, gets, lists and drops, and what it is told.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from 'sealane';
import { BLOB_SEALS, encodeMemfdbus, MEMFDBUS_COMMAND, Memfd, UnixSocket } from 'sealane/internal';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const program = join(root, '.cache', 'peers', 'memfdbus_client');

/** Why there is no C program; undefined when there is one. */
function build(): string | undefined {
  const run = spawnSync(process.execPath, [join(root, 'scripts', 'build-peers.mjs')], { encoding: 'utf8' });
  return run.status === 0 ? undefined : run.stderr.trim();
}

const skip = build() ?? false;

interface Place {
  folder: string;
  socket: string;
  memfdbus: string;
}

/** A broker in a process of its own, which ends with the test. */
async function serve(t: TestContext, ...options: string[]): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-memfdbus-'));
  const place = { folder, socket: join(folder, 'bus.sock'), memfdbus: join(folder, 'memfdbus.sock') };
  const command = join(root, 'packages', 'cli', 'bin', 'sealane.js');
  const args = [
    '--json',
    '--socket',
    place.socket,
    'broker',
    '--memfdbus-socket',
    place.memfdbus,
    ...options,
  ];
  const broker = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    broker.kill();
    if (broker.exitCode === null) await once(broker, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  const lines = createInterface({ input: broker.stdout })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  assert.deepEqual(JSON.parse(String(value)).memfdbusSocket, place.memfdbus);
  return place;
}

function run(place: Place, ...args: string[]): string {
  return execFileSync(program, [place.memfdbus, ...args], { encoding: 'utf8' });
}

/** What the program says when the broker refuses. */
function refused(place: Place, ...args: string[]): string {
  const { status, stderr } = spawnSync(program, [place.memfdbus, ...args], { encoding: 'utf8' });
  assert.equal(status, 1);
  return stderr;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

test('a C program shares objects with native clients', { skip }, async (t) => {
  const place = await serve(t);
  const file = join(place.folder, 'file');
  const out = join(place.folder, 'out');
  writeFileSync(file, 'from C');
  assert.equal(run(place, 'put', 'model', digestOf('from C'), file, 'trainer', 'server'), '1\n');
  await using bus = await connect({ socket: place.socket, jobId: 'server' });
  using blob = await bus.get('model');
  assert.equal(blob.text(), 'from C');
  const { id } = await bus.put(Buffer.from('from JavaScript'), { name: 'answer' });
  assert.equal(
    run(place, 'get', 'name', 'answer', out, 'server'),
    `${id} 15 ${digestOf('from JavaScript')} answer\n`,
  );
  assert.equal(readFileSync(out, 'utf8'), 'from JavaScript');
  assert.equal(
    run(place, 'list', 'server'),
    `1\towner=trainer\tallowed=server\t6\t${digestOf('from C')}\tmodel\n` +
      `2\towner=server\tallowed=-\t15\t${digestOf('from JavaScript')}\tanswer\n`,
  );
  assert.equal(refused(place, 'get', 'id', '2', out, 'trainer'), 'broker error: access denied\n');
  assert.equal(refused(place, 'drop', 'name', 'model', 'server'), 'broker error: access denied\n');
  assert.equal(run(place, 'drop', 'name', 'model', 'trainer'), '1\n');
  assert.equal(refused(place, 'get', 'name', 'model', out), 'broker error: object not found\n');
});

test('a C program is told the limits of the broker', { skip }, async (t) => {
  const place = await serve(
    t,
    '--max-name-bytes',
    '8',
    '--max-objects',
    '1',
    '--max-memfdbus-list-bytes',
    '20',
  );
  const file = join(place.folder, 'file');
  writeFileSync(file, 'x');
  const digest = digestOf('x');
  const tooLong = 'broker error: object name exceeds broker name limit\n';
  assert.equal(refused(place, 'put', '123456789', digest, file), tooLong);
  assert.equal(refused(place, 'put', 'x', digestOf('y'), file), 'broker error: digest mismatch\n');
  assert.equal(refused(place, 'put', 'x', `${digest}0`, file), 'broker error: invalid object digest\n');
  assert.equal(refused(place, 'put', 'x'.repeat(65_537), digest, file), 'broker error: name too long\n');
  assert.equal(run(place, 'put', 'x', digest, file), '1\n');
  assert.equal(refused(place, 'put', 'y', digest, file), 'broker error: broker object quota exceeded\n');
  assert.equal(refused(place, 'list'), 'broker error: list response too large\n');
});

test('a C program and a native client are served before the large objects of 127 others are hashed', {
  skip,
}, async (t) => {
  const size = 256 << 20;
  const place = await serve(t, '--max-bytes', String(2 ** 40));
  await using bus = await connect({ socket: place.socket });
  using large = Memfd.create('large', size);
  large.seal(BLOB_SEALS);
  const fields = { size: BigInt(size) };
  const put = encodeMemfdbus(MEMFDBUS_COMMAND.put, fields, {
    name: Buffer.from('large'),
    text: Buffer.from(digestOf('')),
  });
  const others: UnixSocket[] = [];
  t.after(() => {
    for (const socket of others) socket.close();
  });
  while (others.length < 127) {
    const socket = UnixSocket.connect(place.memfdbus, 'stream');
    if (socket === undefined) await bus.status();
    else others.push(socket);
    socket?.write(put, [large.fd]);
  }
  while ((await bus.status()).bytes < 127 * size) await bus.status();
  const file = join(place.folder, 'file');
  writeFileSync(file, 'small');
  const id = run(place, 'put', 'small', digestOf('small'), file).trim();
  assert.equal(run(place, 'get', 'name', 'small', '/dev/null'), `${id} 5 ${digestOf('small')} small\n`);
  assert.equal(run(place, 'list').split('\n').length, 2);
  const { digest } = await bus.put(Buffer.from('native'), { contentAddressed: true });
  assert.equal(digest, digestOf('native'));
  const buffer = new Uint8Array(1);
  for (const socket of others)
    assert.equal(socket.receive(buffer), 'empty', 'a large object was answered first');
});

const notRoot = process.getuid?.() === 0 ? skip : 'only root can become another user';

test('users are told apart by the kernel, whatever they say', { skip: notRoot }, async (t) => {
  const [admitted, stranger] = [61_234, 61_235];
  const place = await serve(t, '--user', String(admitted));
  const copy = join(place.folder, 'client');
  copyFileSync(program, copy);
  for (const path of [place.folder, copy]) chmodSync(path, 0o755);
  const as = (uid: number, ...args: string[]) => {
    const { stdout, stderr } = spawnSync(copy, [place.memfdbus, ...args], {
      uid,
      gid: uid,
      encoding: 'utf8',
    });
    return stdout + stderr;
  };
  const file = join(place.folder, 'file');
  writeFileSync(file, 'x');
  assert.equal(run(place, 'put', 'mine', digestOf('x'), file), '1\n');
  assert.equal(as(admitted, 'list'), '');
  assert.equal(as(admitted, 'get', 'id', '1', '/dev/null'), 'broker error: object not found\n');
  assert.equal(as(admitted, 'put', 'theirs', digestOf('x'), file), '2\n');
  assert.equal(as(admitted, 'get', 'name', 'theirs', '/dev/null'), `2 1 ${digestOf('x')} theirs\n`);
  assert.equal(refused(place, 'get', 'name', 'theirs', '/dev/null'), 'broker error: object not found\n');
  assert.equal(as(stranger, 'list'), 'broker error: access denied\n');
});
