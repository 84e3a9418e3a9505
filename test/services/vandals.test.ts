/** Processes that write random values all over what they share with a publisher or a subscriber, while an honest pair works. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requestFor } from './liar.test.helper.js';
import { Stage, type StageOptions } from './stage.test.helper.js';

const script = (name: string) => fileURLToPath(new URL(`./${name}.test.helper.js`, import.meta.url));
const SUBSCRIBER = script('vandal');
const PUBLISHER = script('vandal-publisher');
/** So often vandals must have been thrown out. A subscriber asks again only after a while. */
const TIMES = 100;
const TIMES_PUBLISHING = 20;

/** Lets processes of a script run beside the honest pair, until they were thrown out often enough. */
async function endure(
  stage: Stage,
  t: TestContext,
  script: string,
  words: readonly string[][],
  times: number,
) {
  let thrownOut = 0;
  const vandals = words.map((own) => {
    const child = spawn(process.execPath, [script, stage.directory, ...own], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', () => {
      thrownOut += 1;
    });
    return { child, exited: once(child, 'exit') };
  });
  t.after(() => {
    for (const { child } of vandals) child.kill('SIGKILL');
  });
  await stage.workUntil('the vandals are thrown out', () => thrownOut >= times);
  for (const { child, exited } of vandals) {
    assert.equal(child.exitCode ?? child.signalCode, null, 'a vandal ended by itself');
    child.kill('SIGKILL');
    await exited;
  }
}

async function vandalize(t: TestContext, options: StageOptions): Promise<void> {
  const stage = await Stage.make(t, options);
  const words = [1, 2].map((seed) => {
    const request = JSON.stringify(requestFor(stage, { receiver: seed }));
    return [stage.publisherNode.id, request, String(seed)];
  });
  await endure(stage, t, SUBSCRIBER, words, TIMES);
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

test('vandals where memory grows harm only themselves', async (t) => {
  await vandalize(t, { settings: { overflow: true, payload: 'growing' }, initialBytes: 64 });
});

for (const [where, options] of [
  ['', {}],
  [' where memory grows', { settings: { payload: 'growing' }, initialBytes: 64 }],
] as const)
  test(`vandals that publish${where} harm only themselves`, async (t) => {
    const stage = await Stage.make(t, options);
    await endure(stage, t, PUBLISHER, [['1'], ['2']], TIMES_PUBLISHING);
    await stage.workUntil('they are gone', () => stage.subscriber.figures.publishers.length === 1);
    assert.ok(stage.lies(stage.subscriberEvents).length > 0);
    await stage.checkWhole();
  });
