/** Sockets whose last close waits for ever, sent by a peer of a pair to a process that has no room for them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Domain, encodeConnect, serviceFolderName } from 'sealane/internal';
import { CrowdSender, crowdHindrance } from '../attack/crowd.js';
import { countDescriptors } from '../bus.js';
import { Stage } from './nodes.test.helper.js';

const hindrance = crowdHindrance();

test('a notifier out of descriptors does not wait for the sockets that its listener sends', {
  skip: hindrance ?? false,
}, async (t) => {
  const stage = new Stage(t);
  const peer = stage.peer('notify', { script: 'event-peer.test.helper.js' });
  const node = await peer.line();
  const limit = countDescriptors(peer.pid) + 20;
  execFileSync('prlimit', ['--pid', String(peer.pid), `--nofile=${limit}:${limit}`]);
  const parties = { service: serviceFolderName('x'), sender: 1, node: 'badbadbadbadbad1', receiver: 1 };
  const greeting = encodeConnect({ messaging: 'event', ...parties });
  const socket = Domain.open({ directory: stage.directory }).nodeSocket(node);
  const crowd = { type: 'packet', kind: 'linger', count: 100, rounds: 3 } as const;
  const sender = new CrowdSender({ ...crowd, socket, greeting, packet: Buffer.from('no wake-up') });
  t.after(() => sender.end());
  assert.deepEqual(await sender.answers(), [undefined, undefined, undefined]);
  const listener = await (await (await stage.node()).service('x').event()).listener();
  await listener.connected();
});
