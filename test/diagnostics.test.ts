// What a broker and its clients tell diagnostics: connections made, ended and refused.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { type DisconnectedMessage, isSealaneError, type RefusedMessage } from 'sealane';
import { TestBroker } from './bus.js';

function listen<T>(t: TestContext, name: string): T[] {
  const messages: T[] = [];
  const add = (message: unknown) => void messages.push(message as T);
  subscribe(`sealane:${name}`, add);
  t.after(() => unsubscribe(`sealane:${name}`, add));
  return messages;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

const peer = { pid: process.pid, uid: process.geteuid?.() };

test('a broker and its client tell of their connection, when it is made and when it is closed', async (t) => {
  const [connected, disconnected] = [listen(t, 'connected'), listen(t, 'disconnected')];
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  const [client, server] = [
    { part: 'blobs', socket: broker.socket, peer },
    { part: 'broker', peer },
  ];
  assert.deepEqual(connected, [server, client]);
  assert.deepEqual(disconnected, []);
  await bus.close();
  assert.deepEqual(disconnected, [client]);
  await until(() => disconnected.length === 2);
  assert.deepEqual(disconnected[1], server);
});

test('a client whose broker ends tells that with the error that its requests get', async (t) => {
  const disconnected = listen<DisconnectedMessage>(t, 'disconnected');
  await using broker = await TestBroker.start();
  const bus = await broker.connect();
  await broker.broker.stop();
  await until(() => !bus.connected);
  const told = disconnected.find(({ part }) => part === 'blobs');
  await assert.rejects(bus.list().next(), (error) => isSealaneError(error, 'ERR_SEALANE_CONNECTION_LOST'));
  assert.equal(told?.error?.code, 'ERR_SEALANE_CONNECTION_LOST');
});

test('a refused client is told of on both sides', async (t) => {
  const [refused, connected] = [listen<RefusedMessage>(t, 'refused'), listen(t, 'connected')];
  await using broker = await TestBroker.start({ maxConnections: 1 });
  await broker.connect();
  connected.splice(0);
  await assert.rejects(broker.connect(), (error) => isSealaneError(error, 'ERR_SEALANE_LIMIT_EXCEEDED'));
  const [server, client, ...more] = refused;
  assert.deepEqual([more, connected], [[], []]);
  assert.match(server?.text ?? '', /there are 1 connections/);
  const reason = 'ERR_SEALANE_LIMIT_EXCEEDED';
  assert.deepEqual({ ...server, text: '' }, { part: 'broker', peer, reason, text: '' });
  assert.deepEqual({ ...client, text: '' }, { part: 'blobs', socket: broker.socket, peer, reason, text: '' });
});
