/** Where the socket is, and who may have it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { UnixSocket } from '../os/unix-socket.js';
import { Broker } from './broker.js';
import { forkBroker } from './child.test.helper.js';
import { countDescriptors, directory, RawClient } from './raw-client.test.helper.js';

test('a broker listens at its path, for its own user only, and takes the socket away when it stops', async (t) => {
  const path = join(directory(t), 'broker.sock');
  const broker = await Broker.start({ socket: path });
  assert.equal(broker.socket, path);
  const stats = statSync(path);
  assert(stats.isSocket());
  assert.equal(stats.mode & 0o777, 0o600);
  await broker.stop();
  await broker.stop();
  assert(!existsSync(path));
  assert(!existsSync(`${path}.new`));
});

test('a second broker on the same socket refuses to start and says what to do', async (t) => {
  const path = join(directory(t), 'broker.sock');
  await using broker = await Broker.start({ socket: path });
  await assert.rejects(Broker.start({ socket: path }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ERR_SEALANE_BROKER_RUNNING');
    assert(error.message.includes(path));
    return true;
  });
  const client = await RawClient.open(broker.socket);
  client.close();
});

test('a broker whose lock file was removed is still not replaced while it lives', async (t) => {
  const path = join(directory(t), 'broker.sock');
  await using _broker = await Broker.start({ socket: path });
  unlinkSync(`${path}.lock`);
  await assert.rejects(Broker.start({ socket: path }), { code: 'ERR_SEALANE_BROKER_RUNNING' });
  const client = await RawClient.open(path);
  client.close();
});

test("a killed broker's socket is replaced", async (t) => {
  const path = join(directory(t), 'broker.sock');
  const child = await forkBroker(t, { socket: path });
  const orphan = await RawClient.open(path);
  await assert.rejects(Broker.start({ socket: path }), { code: 'ERR_SEALANE_BROKER_RUNNING' });
  child.kill('SIGKILL');
  await Promise.all([once(child, 'exit'), orphan.ended]);
  assert(statSync(path).isSocket(), 'it could not clean up');
  await using broker = await Broker.start({ socket: path });
  const client = await RawClient.open(broker.socket);
  client.close();
  orphan.close();
});

test('what a broker leaves that is killed between bind and rename is replaced', async (t) => {
  const path = join(directory(t), 'broker.sock');
  UnixSocket.listen(`${path}.new`, 1).close();
  await using _broker = await Broker.start({ socket: path });
  assert(!existsSync(`${path}.new`));
});

test('a path that is taken by something else than a socket is refused and left alone', async (t) => {
  const folder = directory(t);
  const [file, sub, link] = ['file', 'folder', 'link'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, 'precious');
  mkdirSync(sub);
  symlinkSync(file, link);
  for (const path of [file, sub, link]) {
    await assert.rejects(Broker.start({ socket: path }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    assert(!lstatSync(path).isSocket());
  }
});

for (const suffix of ['.lock', '.new']) {
  test(`something else in the place of the socket's ${suffix} is refused, named and left alone`, async (t) => {
    const folder = directory(t);
    const path = join(folder, 'broker.sock');
    for (const make of [() => mkdirSync(path + suffix), () => symlinkSync(folder, path + suffix)]) {
      make();
      const before = lstatSync(path + suffix).ino;
      await assert.rejects(Broker.start({ socket: path }), {
        code: 'ERR_SEALANE_INVALID_ARGUMENT',
        message: new RegExp(`remove what is there.*broker\\.sock\\${suffix}`),
      });
      assert.equal(lstatSync(path + suffix).ino, before);
      rmSync(path + suffix, { recursive: true });
    }
  });
}

test('a directory that can not be looked into is a system error', async (t) => {
  const path = join(directory(t), 'broker.sock');
  writeFileSync(path, '');
  await assert.rejects(Broker.start({ socket: join(path, 'below', 'broker.sock') }), {
    code: 'ERR_SEALANE_SYSTEM',
    errnoName: 'ENOTDIR',
  });
});

test('a broker whose socket was removed still keeps others off, who are told why', async (t) => {
  const path = join(directory(t), 'broker.sock');
  await using _broker = await Broker.start({ socket: path });
  unlinkSync(path);
  await assert.rejects(Broker.start({ socket: path }), {
    code: 'ERR_SEALANE_BROKER_RUNNING',
    message: /nobody listens .* its socket was removed/,
  });
});

test('a broker whose directory was replaced by a file stops in good order', async (t) => {
  const folder = join(directory(t), 'runtime');
  mkdirSync(folder);
  const before = countDescriptors();
  const broker = await Broker.start({ socket: join(folder, 'broker.sock') });
  rmSync(folder, { recursive: true });
  writeFileSync(folder, '');
  await broker.stop();
  assert.equal(countDescriptors(), before);
});

test('a directory that does not exist is named in the error', async (t) => {
  const path = join(directory(t), 'missing', 'broker.sock');
  await assert.rejects(Broker.start({ socket: path }), /there is no .*missing/);
});

test("stopping leaves another one's socket alone", async (t) => {
  const path = join(directory(t), 'broker.sock');
  const broker = await Broker.start({ socket: path });
  const other = UnixSocket.listen(`${path}.other`, 1);
  renameSync(`${path}.other`, path);
  await broker.stop();
  assert(existsSync(path));
  other.close();
});

test('the default place is made and verified, and $SEALANE_SOCKET overrides it', async (t) => {
  const folder = join(directory(t), 'runtime');
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env = { ...before, SEALANE_DIR: folder };
  delete process.env.SEALANE_SOCKET;
  const broker = await Broker.start();
  assert.equal(broker.socket, join(folder, 'broker.sock'));
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  await broker.stop();
  process.env.SEALANE_SOCKET = join(folder, 'other.sock');
  await using other = await Broker.start();
  assert.equal(other.socket, join(folder, 'other.sock'));
});

test('a broker that could not start, and one that stopped, leave no descriptor behind', async (t) => {
  const path = join(directory(t), 'broker.sock');
  await (await Broker.start({ socket: path })).stop();
  const before = countDescriptors();
  await using broker = await Broker.start({ socket: path });
  await assert.rejects(Broker.start({ socket: path }));
  const client = await RawClient.open(path);
  await client.put('small');
  await client.put('large', {}, new Uint8Array(4 * 1_048_576));
  await broker.stop();
  client.close();
  assert.equal(countDescriptors(), before);
});

test('whoever is connected when the broker stops is told so and sees the end', async (t) => {
  const broker = await Broker.start({ socket: join(directory(t), 'broker.sock') });
  const client = await RawClient.open(broker.socket);
  const waiting = client.refused('closing', {
    type: 'get',
    selector: { by: 'name', name: 'never' },
    wait: true,
  });
  await client.call({ type: 'status' });
  const stopped = broker.stop();
  await waiting;
  await client.ended;
  client.close();
  await stopped;
});
