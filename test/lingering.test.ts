// Sockets whose last close waits for ever, by a sender that lives on: the broker gets rid of them, and waits for none.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from 'sealane';
import { encodeRequest, type Request } from 'sealane/internal';
import { hello, put, statusName } from './attack/attack.js';
import { type Crowd, CrowdSender } from './attack/crowd.js';
import { countDescriptors } from './bus.js';
import { TestProcess } from './processes.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Why there is no C program that sends such sockets; undefined when there is one. */
function build(): string | undefined {
  const run = spawnSync(process.execPath, [join(root, 'scripts', 'build-peers.mjs')], { encoding: 'utf8' });
  return run.status === 0 ? undefined : run.stderr.trim();
}

const skip = build() ?? false;

/** A broker in a process of its own. */
async function serve(t: TestContext): Promise<{ socket: string; server: TestProcess }> {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-lingering-'));
  const socket = join(folder, 'broker.sock');
  const server = new TestProcess('broker', [JSON.stringify({ socket })]);
  t.after(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.line();
  return { socket, server };
}

/** Sends them with puts. Gives what came back, while they linger until the test ends. */
async function send(
  t: TestContext,
  crowd: Pick<Crowd, 'socket' | 'kind' | 'count' | 'rounds'>,
): Promise<string[]> {
  const greeting = encodeRequest({ ...hello(), requestId: 1 } as Request);
  const packet = encodeRequest({ ...put('lingering', 1), requestId: 2 } as Request);
  const sender = new CrowdSender({ ...crowd, type: 'packet', greeting, packet });
  t.after(() => sender.end());
  return (await sender.answers()).map((answer) => (answer === undefined ? 'closed' : statusName(answer)));
}

test('what lingers deep in a refused descriptor holds no descriptor and no thread of the broker', {
  skip,
}, async (t) => {
  const { socket, server } = await serve(t);
  await using bus = await connect({ socket });
  await bus.status();
  const before = countDescriptors(server.pid);
  const rounds = 6;
  const answers = await send(t, { socket, kind: 'nested', count: 100, rounds });
  assert.deepEqual(answers, Array(rounds).fill('wrongDescriptor'));
  for (let round = 0; round < 5_000 && countDescriptors(server.pid) > before; round++) await bus.status();
  assert.ok(countDescriptors(server.pid) <= before);
});

test('a broker out of descriptors does not wait for the sockets that it can not take', {
  skip,
}, async (t) => {
  const { socket, server } = await serve(t);
  await using bus = await connect({ socket });
  await bus.status();
  const limit = countDescriptors(server.pid) + 20;
  execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${limit}:${limit}`]);
  const rounds = 3;
  const answers = await send(t, { socket, kind: 'linger', count: 100, rounds });
  assert.deepEqual(answers, Array(rounds).fill('wrongDescriptor'));
  await bus.status();
});
