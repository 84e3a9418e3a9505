/** Sockets whose last close waits for ever, sent by a peer of a pair to a process that has no room for them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { Domain, encodeConnect, serviceFolderName } from 'sealane/internal';
import { CrowdSender, crowdHindrance } from '../attack/crowd.js';
import { countDescriptors } from '../bus.js';
import { Stage } from './nodes.test.helper.js';

const script = 'event-peer.test.helper.js';
const hindrance = crowdHindrance();

/** Has a listener that is none send them to the notifier of a peer, whose connections end each time; then an honest one connects. */
async function attack(t: TestContext, stage: Stage, node: string): Promise<void> {
  const parties = { service: serviceFolderName('x'), sender: 1, node: 'badbadbadbadbad1', receiver: 1 };
  const greeting = encodeConnect({ messaging: 'event', ...parties });
  const socket = Domain.open({ directory: stage.directory }).nodeSocket(node);
  const crowd = { type: 'packet', kind: 'linger', count: 100, rounds: 3 } as const;
  const sender = new CrowdSender({ ...crowd, socket, greeting, packet: Buffer.from('no wake-up') });
  t.after(() => sender.end());
  assert.deepEqual(await sender.answers(), [undefined, undefined, undefined]);
  const listener = await (await (await stage.node()).service('x').event()).listener();
  await listener.connected();
}

test('a notifier out of descriptors does not wait for the sockets that its listener sends', {
  skip: hindrance ?? false,
}, async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('notify', { script });
  const node = await peer.line();
  const limit = countDescriptors(peer.pid) + 20;
  execFileSync('prlimit', ['--pid', String(peer.pid), `--nofile=${limit}:${limit}`]);
  await attack(t, stage, node);
});

test('neither does one in a program that has nearly all descriptors itself', {
  skip: hindrance ?? false,
}, async (t) => {
  const stage = new Stage(t);
  const wrapper = ['sh', '-c', 'ulimit -n 2000; exec "$@"', 'sh'];
  const peer = stage.peer('hoard', { script }, { wrapper });
  await attack(t, stage, await peer.line());
});
