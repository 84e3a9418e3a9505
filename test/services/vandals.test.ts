/** Processes that write random values all over what they share with a publisher, while an honest pair works. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requestFor } from './liar.test.helper.js';
import { Stage, type StageOptions } from './stage.test.helper.js';

const VANDAL = fileURLToPath(new URL('./vandal.test.helper.js', import.meta.url));
/** So often the publisher must have thrown vandals out. */
const TIMES = 100;

async function vandalize(t: TestContext, options: StageOptions): Promise<void> {
  const stage = await Stage.make(t, options);
  let thrownOut = 0;
  const vandals = [1, 2].map((seed) => {
    const request = JSON.stringify(requestFor(stage, { subscriber: seed }));
    const words = [VANDAL, stage.directory, stage.publisherNode.id, request, String(seed)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('message', () => {
      thrownOut += 1;
    });
    return { child, exited: once(child, 'exit') };
  });
  t.after(() => {
    for (const { child } of vandals) child.kill('SIGKILL');
  });
  await stage.workUntil('the vandals are thrown out', () => thrownOut >= TIMES);
  for (const { child, exited } of vandals) {
    assert.equal(child.exitCode ?? child.signalCode, null, 'a vandal ended by itself');
    child.kill('SIGKILL');
    await exited;
  }
  await stage.workUntil('the vandals are gone', () => stage.publisher.figures.subscribers.length === 1);
  assert.ok(stage.lies(stage.publisherEvents).length > 0);
  await stage.checkWhole();
}

test('vandals in an overflowing service harm only themselves', async (t) => {
  await vandalize(t, { settings: { overflow: true } });
});

test('vandals in a service that drops harm only themselves', async (t) => {
  await vandalize(t, { settings: { overflow: false }, whenFull: 'drop' });
});

test('vandals in a service that waits harm only themselves', async (t) => {
  await vandalize(t, { settings: { overflow: false }, whenFull: 'wait' });
});
