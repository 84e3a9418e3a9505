// What a service limits: how many ports and nodes there may be, and how many samples may be out; and that each comes free again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from 'sealane';
import { bytesOf, joined, Stage, text, texts, until } from './nodes.test.helper.js';

const exceeded = (setting: string) => ({ code: 'ERR_SEALANE_LIMIT_EXCEEDED', message: new RegExp(setting) });

for (const [setting, make] of [
  ['maxPublishers', 'publisher'],
  ['maxSubscribers', 'subscriber'],
] as const) {
  test(`${setting} holds for all nodes together, and a closed ${make} makes room`, async (t) => {
    const stage = new Stage(t);
    const first = await stage.service({ [setting]: 2 });
    const second = await stage.service();
    const port = await first[make]();
    await second[make]();
    await assert.rejects(first[make](), exceeded(`2 ${make}s, and its setting ${setting} allows 2`));
    await assert.rejects(second[make](), exceeded(setting));
    port.close();
    const again = await second[make]();
    await assert.rejects(first[make](), exceeded(setting));
    await again[Symbol.asyncDispose]();
    await first[make]();
  });

  test(`a ${make} of a killed process counts no more`, async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ [setting]: 1 });
    const peer = stage.peer(make === 'publisher' ? 'publish' : 'subscribe');
    await peer.line();
    await assert.rejects(service[make](), exceeded(setting));
    await peer.kill();
    await service[make]();
  });
}

test('maxNodes holds, for nodes and not for how often one opens the service, and a closed service makes room', async (t) => {
  const stage = new Stage(t);
  const open = (node: Node) => node.service('x').publishSubscribe({ maxNodes: 2 });
  const [first, second, third] = [await stage.node(), await stage.node(), await stage.node()];
  const services = [await open(first), await open(second), await open(second)];
  await assert.rejects(open(third), exceeded('maxNodes allows 2'));
  services[1]?.close();
  await assert.rejects(open(third), exceeded('maxNodes'));
  services[2]?.close();
  await open(third);
  await assert.rejects(open(second), exceeded('maxNodes'));
  third.close();
  await open(second);
});

test('maxLoaned samples may be on loan, as the service or the publisher says; sent and released ones count no more', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ maxLoaned: 3 });
  for (const [options, most] of [
    [{}, 3],
    [{ maxLoaned: 2 }, 2],
  ] as const) {
    const publisher = await service.publisher(options);
    const loans = Array.from({ length: most }, () => publisher.loan(8));
    assert.throws(() => publisher.loan(8), exceeded(`${most} samples are on loan, which is maxLoaned`));
    assert.throws(() => publisher.hot.loan(8), exceeded('maxLoaned'));
    assert.throws(() => publisher.sendCopy(bytesOf('a')), exceeded('maxLoaned'));
    assert.equal(publisher.figures.loaned, most);
    loans[0]?.send();
    const loan = publisher.hot.loan(8);
    assert.throws(() => publisher.loan(8), exceeded('maxLoaned'));
    loan.release();
    loans[1]?.release();
    loans[1]?.release();
    assert.equal(publisher.figures.loaned, most - 2);
  }
  await assert.rejects(service.publisher({ maxLoaned: 4 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /maxLoaned/,
  });
});

test('a loan never fails for want of slots, however many samples subscribers and history hold', async (t) => {
  const stage = new Stage(t);
  const settings = { bufferSize: 3, maxBorrowed: 2, history: 4, maxLoaned: 2, maxSubscribers: 3 };
  const service = await stage.service(settings);
  const publisher = await service.publisher();
  const subscribers = [await service.subscriber(), await service.subscriber(), await service.subscriber()];
  await joined([publisher], subscribers);
  for (let round = 0; round < 100; round++) {
    publisher.sendCopy(bytesOf(round));
    for (const [index, subscriber] of subscribers.entries())
      if ((round + index) % 3 === 0 && subscriber.figures.borrowed < 2) subscriber.receive();
  }
  const loans = [publisher.loan(1), publisher.loan(1)];
  assert.equal(publisher.figures.slots, 3 * (3 + 2) + 4 + 2);
  assert.ok(publisher.figures.usedSlots <= publisher.figures.slots);
  for (const loan of loans) assert.equal(loan.send(), 3);
});

test('maxBorrowed samples of a publisher may be held; then receiving throws until one is released', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 4, maxBorrowed: 3 });
  const publisher = await service.publisher();
  const [own, fewer] = [await service.subscriber(), await service.subscriber({ maxBorrowed: 1 })];
  await joined([publisher], [own, fewer]);
  for (const word of ['1', '2', '3', '4']) publisher.sendCopy(bytesOf(word));
  const held = own.receiveBatch(100);
  assert.deepEqual(
    held.map(({ header }) => header.sequence),
    [1, 2, 3],
  );
  for (const receive of [() => own.receive(), () => own.hot.receive(), () => own.receiveBlocking()])
    assert.throws(receive, exceeded('3 samples of one publisher are borrowed, which is maxBorrowed'));
  await assert.rejects(own.next(), exceeded('maxBorrowed'));
  assert.deepEqual(own.receiveBatch(100), []);
  held[1]?.release();
  held[1]?.release();
  assert.equal(text(own.receive()), '4');
  assert.equal(own.receive(), undefined, 'nothing is there, which is no error');
  const one = fewer.receive();
  assert.throws(() => fewer.receive(), exceeded('1 samples'));
  one?.release();
  assert.deepEqual(texts(fewer), ['2', '3', '4']);
  await assert.rejects(service.subscriber({ maxBorrowed: 4 }), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('who holds maxBorrowed samples of one publisher still receives those of another', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ maxBorrowed: 1 });
  const [first, second] = [await service.publisher(), await service.publisher()];
  const subscriber = await service.subscriber();
  await joined([first, second], [subscriber]);
  first.sendCopy(bytesOf('a1'));
  first.sendCopy(bytesOf('a2'));
  const held = subscriber.receive();
  assert.throws(() => subscriber.receive(), exceeded('maxBorrowed'));
  for (const word of ['b1', 'b2', 'b3']) {
    second.sendCopy(bytesOf(word));
    assert.equal(text(subscriber.receive()), word);
  }
  second.sendCopy(bytesOf('b4'));
  assert.deepEqual(subscriber.receiveBatch(10).map(text), ['b4']);
  assert.throws(() => subscriber.receive(), exceeded('maxBorrowed'));
  held?.release();
  assert.equal(text(subscriber.receive()), 'a2');
});

test('a lower maxBytes of a publisher makes its memory smaller, and is what it may loan', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ maxBytes: 1 << 20 });
  const [large, small] = [await service.publisher(), await service.publisher({ maxBytes: 4096 })];
  assert.ok(large.figures.memoryBytes >= large.figures.slots << 20);
  assert.ok(small.figures.memoryBytes <= small.figures.slots * 4200);
  const subscriber = await service.subscriber();
  await subscriber.connected(2);
  small.sendCopy(new Uint8Array(4096).fill(7));
  const sample = await subscriber.next();
  assert.deepEqual([sample.bytes.length, sample.bytes[4095]], [4096, 7]);
  const wrong = { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /(maxBytes allows|from) 0 to 4096/ };
  for (const bytes of [4097, -1, 1.5, Number.NaN]) assert.throws(() => small.loan(bytes), wrong);
  assert.throws(() => small.sendCopy(new Uint8Array(4097)), wrong);
  await assert.rejects(service.publisher({ maxBytes: (1 << 20) + 1 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
  });
});

test('samples of no bytes and of the most bytes arrive as they are', async (t) => {
  const stage = new Stage(t);
  const most = (64 << 20) + 1;
  const service = await stage.service({ maxBytes: most, bufferSize: 2 });
  const publisher = await service.publisher();
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  const loan = publisher.loan(most);
  loan.bytes[0] = 1;
  loan.bytes[most - 1] = 2;
  loan.send();
  publisher.sendCopy(new Uint8Array(0));
  const [large, empty] = subscriber.receiveBatch(2);
  assert.deepEqual([large?.bytes.length, large?.bytes[0], large?.bytes[most - 1]], [most, 1, 2]);
  assert.deepEqual([empty?.bytes.length, empty?.header.sequence], [0, 2]);
});

test('a subscriber that comes while there is no room is told so, and one that closed is no more in the way', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ maxSubscribers: 1 });
  const publisher = await service.publisher();
  for (let round = 0; round < 20; round++) {
    const subscriber = await service.subscriber();
    await subscriber.connected();
    assert.equal(publisher.figures.subscribers.length, 1);
    subscriber.close();
    await until(() => publisher.figures.subscribers.length === 0);
  }
});
