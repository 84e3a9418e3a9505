/** The broker's answer to itself, on which a watchdog can rely. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countDescriptors, startBroker } from './raw-client.test.helper.js';

test('a broker that serves answers, once and again', async (t) => {
  const { broker } = await startBroker(t);
  for (let count = 0; count < 3; count++) await broker.probe();
  await Promise.all(Array.from({ length: 200 }, () => broker.probe()));
});

test('the probe is no client: it counts against no limit, and no client can keep it from an answer', async (t) => {
  const { broker, open, connect } = await startBroker(t, { maxConnections: 1, maxOutstanding: 1 });
  await open();
  const refused = connect();
  assert.equal((await refused.hello()).response.type, 'error');
  await broker.probe();
  assert.equal(broker.status().connections, 1);
});

test('a policy that admits nobody does not keep the broker from answering itself', async (t) => {
  const { broker } = await startBroker(t, { policy: {} });
  await broker.probe();
  broker.setPolicy({ jobs: [{ ids: ['*'], users: [12_345] }] });
  await broker.probe();
});

test('an answer needs a turn of the event loop', async (t) => {
  const { broker } = await startBroker(t);
  await broker.probe();
  let turned = false;
  const answer = broker.probe().then(() => assert.ok(turned, 'it was answered without one'));
  await new Promise((resolve) => process.nextTick(resolve));
  turned = true;
  await answer;
});

test('a broker that stops answers no more, and leaves no descriptor of the probe', async (t) => {
  const before = countDescriptors();
  const { broker } = await startBroker(t);
  await broker.probe();
  const late = broker.probe();
  const stopped = broker.stop();
  await assert.rejects(late, { code: 'ERR_SEALANE_CLOSED' });
  await assert.rejects(broker.probe(), { code: 'ERR_SEALANE_CLOSED' });
  await stopped;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(countDescriptors(), before);
});
