// Junk arguments to everything that nodes, services and ports take: each works as documented or is refused by name, and leaves nothing.
import { type TestContext, test } from 'node:test';
import { listNodes, listServices, Node, type Publisher, type PubSubService, type Subscriber } from 'sealane';
import {
  type Entry,
  isAborted,
  isBoolean,
  isCallback,
  isPlainObject,
  isSignal,
  JUNK,
  type Junk,
  tryOne,
} from '../junk.test.helper.js';
import { bytesOf, joined, ownDescriptors, Stage, until } from './nodes.test.helper.js';

/** So many are never there: whoever waits for them is told at once that it waits no more. */
const signal = AbortSignal.abort();
const never = { codes: ['ERR_SEALANE_ABORTED'] };

interface Scene {
  readonly directory: string;
  readonly node: Node;
  readonly service: PubSubService;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
}

/** A pair in a service with as many samples as there is junk, so that what a call takes is never the last one. */
async function open(t: TestContext): Promise<Scene> {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node
    .service('x')
    .publishSubscribe({ bufferSize: 64, maxBorrowed: 64, maxLoaned: 64 });
  const [publisher, subscriber] = [await service.publisher(), await service.subscriber()];
  await joined([publisher], [subscriber]);
  return { directory: stage.directory, node, service, publisher, subscriber };
}

/** Tries every junk on every entry point; afterwards nothing is open that was not before. */
async function tryAll(entries: readonly Entry[]): Promise<void> {
  const before = ownDescriptors();
  for (const entry of entries) {
    for (const junk of JUNK) await tryOne(entry, junk);
    await until(() => String(ownDescriptors()) === String(before));
  }
}

test('nodes and services of junk', async (t) => {
  const { directory, node } = await open(t);
  const create = (option: string) => (junk: Junk) => Node.create({ name: 'a', directory, [option]: junk });
  const isMissing = { works: isPlainObject, codes: ['ERR_SEALANE_NO_SERVICE'] };
  const mismatch = ['ERR_SEALANE_SETTINGS_MISMATCH'];
  await tryAll([
    { name: 'Node.create', call: (junk) => Node.create(junk), required: true },
    { name: 'Node.create.name', call: (junk) => Node.create({ name: junk, directory }), required: true },
    { name: 'Node.create.domain', call: create('domain') },
    {
      name: 'Node.create.directory',
      call: (junk) => Node.create({ name: 'a', directory: junk === undefined ? directory : junk }),
    },
    { name: 'Node.create.attributes', call: create('attributes'), works: isPlainObject },
    { name: 'node.service', call: (junk) => node.service(junk), required: true },
    { name: 'node.events', call: (junk) => node.events(junk).return?.(), works: isPlainObject },
    { name: 'node.events.signal', call: (junk) => node.events({ signal: junk }).return?.(), works: isSignal },
    {
      name: 'publishSubscribe',
      call: (junk) => node.service('y').publishSubscribe(junk),
      works: isPlainObject,
    },
    {
      name: 'createPublishSubscribe',
      call: (junk) => node.service('y').createPublishSubscribe(junk),
      works: isPlainObject,
    },
    {
      name: 'openPublishSubscribe',
      call: (junk) => node.service('y').openPublishSubscribe(junk),
      ...isMissing,
    },
    {
      name: 'an attribute of openPublishSubscribe',
      call: (junk) => node.service('x').openPublishSubscribe({ attributes: { key: junk } }),
      required: true,
      codes: mismatch,
    },
    {
      name: 'publishSubscribe.bufferSize',
      call: (bufferSize) => node.service('y').publishSubscribe({ bufferSize }),
    },
    {
      name: 'publishSubscribe.overflow',
      call: (overflow) => node.service('y').publishSubscribe({ overflow }),
      works: isBoolean,
    },
    { name: 'publishSubscribe.payload', call: (payload) => node.service('y').publishSubscribe({ payload }) },
    { name: 'listNodes', call: (junk) => listNodes(junk), works: isPlainObject },
    { name: 'listServices', call: (junk) => listServices(junk), works: isPlainObject },
  ]);
});

test('publishers of junk, and samples of junk', async (t) => {
  const { node, service, publisher } = await open(t);
  const growing = await node.service('growing').publishSubscribe({ payload: 'growing' });
  const withLoan = async (use: (loan: ReturnType<Publisher['loan']>) => unknown) => {
    using loan = publisher.loan(8);
    await use(loan);
  };
  await tryAll([
    { name: 'publisher', call: (junk) => service.publisher(junk), works: isPlainObject },
    { name: 'publisher.maxBytes', call: (maxBytes) => service.publisher({ maxBytes }) },
    { name: 'publisher.whenFull', call: (whenFull) => service.publisher({ whenFull }), works: isCallback },
    { name: 'publisher.lock', call: (lock) => service.publisher({ lock }), works: isBoolean },
    { name: 'publisher.initialBytes', call: (initialBytes) => growing.publisher({ initialBytes }) },
    { name: 'publisher.maxSegments', call: (maxSegments) => growing.publisher({ maxSegments }) },
    { name: 'publisher.strategy', call: (strategy) => growing.publisher({ strategy }) },
    { name: 'loan', call: (junk) => publisher.loan(junk), required: true },
    { name: 'hot.loan', call: (junk) => publisher.hot.loan(junk), required: true },
    { name: 'sendCopy', call: (junk) => publisher.sendCopy(junk), required: true },
    { name: 'sendAsync', call: (junk) => withLoan((loan) => loan.sendAsync(junk)), works: isPlainObject },
    {
      name: 'sendAsync.signal',
      call: (signal) => withLoan((loan) => loan.sendAsync({ signal })),
      ...isAborted,
    },
    {
      name: 'setSourceTimestamp',
      call: (junk) => withLoan((loan) => loan.setSourceTimestamp(junk)),
      required: true,
      works: (junk) => junk === 10n,
    },
    { name: 'publisher.connected', call: (junk) => publisher.connected(junk, { signal }), ...never },
    {
      name: 'publisher.connected options',
      call: (junk) => publisher.connected(1, junk),
      works: isPlainObject,
    },
    {
      name: 'publisher.connected.signal',
      call: (signal) => publisher.connected(1, { signal }),
      works: isSignal,
    },
  ]);
});

test('subscribers of junk, and receiving with junk', async (t) => {
  const { service, publisher, subscriber } = await open(t);
  const fed = (use: () => unknown) => {
    publisher.sendCopy(bytesOf('fed'));
    return use();
  };
  const isCount = (junk: unknown) => junk === 2 ** 31 || junk === 2 ** 32;
  const isDuration = (junk: unknown) => typeof junk === 'number' && junk >= 0;
  await tryAll([
    { name: 'subscriber', call: (junk) => service.subscriber(junk), works: isPlainObject },
    { name: 'subscriber.bufferSize', call: (bufferSize) => service.subscriber({ bufferSize }) },
    { name: 'subscriber.history', call: (history) => service.subscriber({ history }) },
    { name: 'service.events', call: (junk) => service.events(junk).return?.(), works: isPlainObject },
    {
      name: 'service.events.signal',
      call: (signal) => service.events({ signal }).return?.(),
      works: isSignal,
    },
    {
      name: 'receiveBatch',
      call: (junk) => subscriber.receiveBatch(junk),
      required: true,
      works: isCount,
    },
    {
      name: 'receiveBlocking',
      call: (junk) => fed(() => subscriber.receiveBlocking(junk)),
      works: isPlainObject,
    },
    {
      name: 'receiveBlocking.timeoutMs',
      call: (timeoutMs) => fed(() => subscriber.hot.receiveBlocking({ timeoutMs })),
      works: isDuration,
    },
    {
      name: 'receiveBlocking.spinMs',
      call: (spinMs) => fed(() => subscriber.receiveBlocking({ spinMs })),
      works: isDuration,
    },
    { name: 'next', call: (junk) => fed(() => subscriber.next(junk)), works: isPlainObject },
    { name: 'next.signal', call: (signal) => fed(() => subscriber.next({ signal })), works: isSignal },
    { name: 'subscriber.connected', call: (junk) => subscriber.connected(junk, { signal }), ...never },
    {
      name: 'subscriber.connected options',
      call: (junk) => subscriber.connected(1, junk),
      works: isPlainObject,
    },
  ]);
});

test('event services of junk, and what their ports take', async (t) => {
  const { node, service: samples } = await open(t);
  const service = await node.service('events').event({ eventIds: 16 });
  const [notifier, listener] = [await service.notifier(), await service.listener()];
  await Promise.all([notifier.connected(), listener.connected()]);
  const fed = (use: () => unknown) => {
    notifier.notify(1);
    return use();
  };
  const isDuration = (junk: unknown) => typeof junk === 'number' && junk >= 0;
  const isNull = (junk: unknown) => junk === null;
  const drain = (handler: unknown) => listener.drain(handler as never);
  await tryAll([
    { name: 'event', call: (junk) => node.service('y').event(junk), works: isPlainObject },
    { name: 'createEvent', call: (junk) => node.service('y').createEvent(junk), works: isPlainObject },
    { name: 'openEvent', call: (junk) => node.service('events').openEvent(junk), works: isPlainObject },
    { name: 'event.eventIds', call: (eventIds) => node.service('y').event({ eventIds }) },
    { name: 'event.deadlineMs', call: (deadlineMs) => node.service('y').event({ deadlineMs }) },
    {
      name: 'event.notifierDead',
      call: (notifierDead) => node.service('y').event({ notifierDead }),
      works: isNull,
    },
    { name: 'notifier', call: (junk) => service.notifier(junk), works: isPlainObject },
    { name: 'notifier.id', call: (id) => service.notifier({ id }) },
    { name: 'listener', call: (junk) => service.listener(junk), works: isPlainObject },
    { name: 'notify', call: (junk) => notifier.notify(junk) },
    { name: 'notifyOne', call: (junk) => notifier.notifyOne(junk) },
    { name: 'notifier.connected', call: (junk) => notifier.connected(junk, { signal }), ...never },
    { name: 'notifier.connected options', call: (junk) => notifier.connected(1, junk), works: isPlainObject },
    { name: 'listener.connected', call: (junk) => listener.connected(junk, { signal }), ...never },
    { name: 'listener.connected options', call: (junk) => listener.connected(1, junk), works: isPlainObject },
    { name: 'drain', call: drain, required: true, works: isCallback },
    {
      name: 'listener.receiveBlocking',
      call: (junk) => fed(() => listener.receiveBlocking(junk)),
      works: isPlainObject,
    },
    {
      name: 'listener.receiveBlocking.timeoutMs',
      call: (timeoutMs) => fed(() => listener.receiveBlocking({ timeoutMs })),
      works: isDuration,
    },
    {
      name: 'drainBlocking.spinMs',
      call: (spinMs) => fed(() => listener.drainBlocking(() => undefined, { spinMs })),
      works: isDuration,
    },
    { name: 'listener.next', call: (junk) => fed(() => listener.next(junk)), works: isPlainObject },
    {
      name: 'listener.next.signal',
      call: (signal) => fed(() => listener.next({ signal })),
      works: isSignal,
    },
    {
      name: 'publisher.notifies',
      call: (notifies) => samples.publisher({ notifies }),
    },
    {
      name: 'publisher.notifies.notifier',
      call: (junk) => samples.publisher({ notifies: { notifier: junk } }),
      required: true,
    },
    { name: 'publisher.notifies.id', call: (id) => samples.publisher({ notifies: { notifier, id } }) },
  ]);
});
