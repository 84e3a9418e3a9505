// Full buffers: the oldest gives way, or the publisher waits, drops, fails or asks; and what late subscribers get of the past.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FullSituation, latest } from 'sealane';
import { bytesOf, joined, Stage, text, texts, until } from './nodes.test.helper.js';

const full = { code: 'ERR_SEALANE_SUBSCRIBER_FULL' };

/** A publisher and a subscriber of one thread, connected. */
async function pair(stage: Stage, settings: object, options: object = {}) {
  const service = await stage.service(settings);
  const publisher = await service.publisher(options);
  const subscriber = await service.subscriber();
  await joined([publisher], [subscriber]);
  const send = (...words: (string | number)[]) => words.map((word) => publisher.sendCopy(bytesOf(word)));
  const lost = () => publisher.figures.subscribers.reduce((sum, one) => sum + one.lost, 0);
  return { service, publisher, subscriber, send, lost };
}

test('in a full buffer the oldest gives way, and the subscriber can tell exactly how many', async (t) => {
  const { subscriber, send, lost } = await pair(new Stage(t), { bufferSize: 3 });
  assert.deepEqual(send(1, 2), [1, 1]);
  assert.deepEqual(texts(subscriber), ['1', '2']);
  send(3, 4, 5, 6, 7, 8, 9);
  const [first, ...others] = subscriber.receiveBatch(10);
  assert.deepEqual([first?.missed, ...others.map(({ missed }) => missed)], [4, 0, 0]);
  assert.deepEqual([first, ...others].map(text), ['7', '8', '9']);
  assert.equal(lost(), 4);
  assert.equal(subscriber.figures.missed, 4);
  assert.equal(subscriber.figures.received, 5);
});

test('samples that gave way before the first was received are missed too', async (t) => {
  const { subscriber, send, lost, service } = await pair(new Stage(t), { bufferSize: 2, history: 2 });
  send(1, 2, 3, 4, 5);
  const late = await service.subscriber({ history: 1 });
  await late.connected();
  send(6);
  for (const [receiver, missed, words] of [
    [subscriber, 4, ['5', '6']],
    [late, 0, ['5', '6']],
  ] as const) {
    const samples = receiver.receiveBatch(10);
    assert.deepEqual(
      samples.map((sample) => sample.missed),
      [missed, 0],
    );
    assert.deepEqual(samples.map(text), words);
    assert.equal(receiver.figures.missed, missed);
  }
  assert.equal(lost(), 4);
  send(7, 8, 9);
  assert.deepEqual(
    late.receiveBatch(10).map(({ missed }) => missed),
    [1, 0],
  );
});

test('what a slow subscriber in another process misses is what the publisher lost', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 5, history: 0 });
  const subscriber = await service.subscriber();
  const peer = stage.peer('sendMany', { count: 20_000 });
  await peer.line();
  let last = 0;
  let missed = 0;
  let received = 0;
  while (last < 20_000) {
    const sample = await subscriber.next();
    const number = Number(Buffer.from(sample.bytes).toString());
    assert.equal(sample.missed, number - last - 1);
    assert.equal(sample.header.sequence, number);
    missed += sample.missed;
    received += 1;
    last = number;
    sample.release();
  }
  assert.equal(received + missed, 20_000);
  assert.deepEqual([subscriber.figures.received, subscriber.figures.missed], [received, missed]);
});

test('a subscriber may have a smaller buffer than others, which does not concern them', async (t) => {
  const { service, publisher, subscriber, send } = await pair(new Stage(t), { bufferSize: 4 });
  const small = await service.subscriber({ bufferSize: 1 });
  await joined([publisher], [subscriber, small]);
  send(1, 2, 3, 4);
  assert.deepEqual(texts(small), ['4']);
  assert.deepEqual(texts(subscriber), ['1', '2', '3', '4']);
  assert.deepEqual(publisher.figures.subscribers.map(({ lost }) => lost).sort(), [0, 3]);
});

test('without overflow `drop` loses the newest, only for who is full, and all can tell', async (t) => {
  const options = { whenFull: 'drop' };
  const { service, publisher, subscriber, send, lost } = await pair(
    new Stage(t),
    { bufferSize: 2, overflow: false },
    options,
  );
  const quick = await service.subscriber();
  await joined([publisher], [subscriber, quick]);
  assert.deepEqual(send(1, 2), [2, 2]);
  texts(quick);
  assert.deepEqual(send(3, 4), [1, 1]);
  assert.deepEqual(texts(quick), ['3', '4']);
  assert.deepEqual(texts(subscriber), ['1', '2']);
  send(5);
  const sample = subscriber.receive();
  assert.equal(sample?.missed, 2);
  assert.equal(text(sample), '5');
  assert.equal(lost(), 2);
  assert.equal(subscriber.figures.missed, 2);
});

test('without overflow `fail` throws, nobody gets the sample, and it can be sent again', async (t) => {
  const stage = new Stage(t);
  const { service, publisher, subscriber } = await pair(
    stage,
    { bufferSize: 1, overflow: false },
    { whenFull: 'fail' },
  );
  const other = await service.subscriber();
  await joined([publisher], [subscriber, other]);
  publisher.sendCopy(bytesOf('a'));
  texts(other);
  const loan = publisher.loan(1);
  loan.bytes.set(bytesOf('b'));
  assert.throws(() => loan.send(), full);
  await assert.rejects(loan.sendAsync(), full);
  assert.throws(() => publisher.sendCopy(bytesOf('c')), full);
  assert.equal(publisher.figures.loaned, 1, 'the copy is not on loan any more');
  assert.equal(other.receive(), undefined);
  assert.equal(text(subscriber.receive()), 'a');
  assert.equal(loan.send(), 2);
  for (const one of [subscriber, other]) {
    const sample = one.receive();
    assert.deepEqual([sample?.header.sequence, sample?.missed], [2, 0]);
    assert.equal(text(sample), 'b');
  }
});

test('a handler decides with the retries and the elapsed time in hand', async (t) => {
  const asked: FullSituation[] = [];
  const whenFull = (situation: FullSituation) => {
    asked.push({ ...situation });
    if (situation.retries < 3) return 'retry' as const;
    return 'drop' as const;
  };
  const { publisher, subscriber, send, lost } = await pair(
    new Stage(t),
    { bufferSize: 1, overflow: false },
    { whenFull },
  );
  assert.deepEqual(send(1), [1]);
  assert.deepEqual(asked, []);
  assert.deepEqual(send(2), [0]);
  const [peer] = publisher.figures.subscribers;
  assert.deepEqual(
    asked.map(({ retries, subscriber: { node, port, pid } }) => ({ retries, node, port, pid })),
    [0, 1, 2, 3].map((retries) => ({ retries, node: peer?.node, port: peer?.port, pid: process.pid })),
  );
  const times = asked.map(({ elapsedMs }) => elapsedMs);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  assert.ok((times[0] ?? -1) >= 0);
  asked.length = 0;
  const loan = publisher.loan(0);
  assert.equal(await loan.sendAsync(), 0);
  assert.deepEqual(
    asked.map(({ retries }) => retries),
    [0, 1, 2, 3],
  );
  assert.deepEqual(texts(subscriber), ['1']);
  assert.equal(lost(), 2);
  send(4);
  assert.equal(subscriber.receive()?.missed, 2);
});

test('a handler that makes room and says retry delivers; one that fails or answers nonsense loses the sample', async (t) => {
  const stage = new Stage(t);
  let answer: () => unknown = () => 'fail';
  const { publisher, subscriber, send, lost } = await pair(
    stage,
    { bufferSize: 1, overflow: false },
    { whenFull: () => answer() },
  );
  send(1);
  assert.throws(() => send(2), full);
  answer = () => 'perhaps';
  assert.throws(() => send(3), { code: 'ERR_SEALANE_INVALID_ARGUMENT', message: /whenFull/ });
  answer = () => {
    throw new Error('of the handler');
  };
  assert.throws(() => send(4), /of the handler/);
  await assert.rejects(publisher.loan(0).sendAsync(), /of the handler/);
  assert.equal(lost(), 4);
  assert.equal(publisher.figures.loaned, 0);
  answer = () => {
    subscriber.receive()?.release();
    return 'retry';
  };
  assert.deepEqual(send(6), [1]);
  const sample = subscriber.receive();
  assert.equal(sample?.missed, 4);
  assert.equal(text(sample), '6');
});

test('a publisher that waits for a subscriber of its own thread is told to use sendAsync, and nobody got the sample', async (t) => {
  const { service, publisher, subscriber } = await pair(new Stage(t), { bufferSize: 1, overflow: false });
  const other = await service.subscriber();
  await joined([publisher], [subscriber, other]);
  publisher.sendCopy(bytesOf('a'));
  texts(other);
  const loan = publisher.loan(1);
  loan.bytes.set(bytesOf('b'));
  assert.throws(() => loan.send(), { ...full, message: /sendAsync/ });
  assert.equal(other.receive(), undefined);
  const sending = loan.sendAsync();
  assert.equal(text(await other.next()), 'b');
  assert.equal(text(subscriber.receive()), 'a');
  assert.equal(await sending, 2);
  assert.equal(text(subscriber.receive()), 'b');
});

test('a handler that makes room and sends on its own is refused: its sample would overtake', async (t) => {
  let refused: unknown;
  const whenFull = () => {
    assert.equal(text(subscriber.receive()), 'a');
    try {
      publisher.sendCopy(bytesOf('c'));
    } catch (error) {
      refused = error;
    }
    return 'retry' as const;
  };
  const { publisher, subscriber } = await pair(
    new Stage(t),
    { bufferSize: 1, overflow: false },
    { whenFull },
  );
  publisher.sendCopy(bytesOf('a'));
  assert.equal(publisher.sendCopy(bytesOf('b')), 1);
  assert.equal((refused as { code?: string }).code, 'ERR_SEALANE_BUSY');
  assert.equal(publisher.figures.loaned, 0);
  const sample = subscriber.receive();
  assert.equal(sample?.missed, 0);
  assert.equal(text(sample), 'b');
  assert.equal(publisher.sendCopy(bytesOf('d')), 1);
});

test('sendAsync waits on the event loop, keeps the order, and gives up with its signal', async (t) => {
  const { publisher, subscriber, lost } = await pair(new Stage(t), { bufferSize: 1, overflow: false });
  publisher.sendCopy(bytesOf('a'));
  const abort = new AbortController();
  const sending = publisher.loan(0).sendAsync({ signal: abort.signal });
  assert.throws(() => publisher.sendCopy(bytesOf('c')), { code: 'ERR_SEALANE_BUSY' });
  abort.abort();
  await assert.rejects(sending, { code: 'ERR_SEALANE_ABORTED' });
  assert.equal(publisher.figures.loaned, 0);
  assert.equal(lost(), 1);
  const loan = publisher.loan(1);
  await assert.rejects(loan.sendAsync({ signal: AbortSignal.abort() }), { code: 'ERR_SEALANE_ABORTED' });
  loan.bytes.set(bytesOf('d'));
  const again = loan.sendAsync();
  assert.equal(text(subscriber.receive()), 'a');
  assert.equal(await again, 1);
  const sample = subscriber.receive();
  assert.equal(sample?.missed, 1);
  assert.equal(text(sample), 'd');
});

test('a sample that sendAsync still sends stays as it is when its object is released meanwhile', async (t) => {
  const { publisher, subscriber } = await pair(new Stage(t), {
    bufferSize: 1,
    overflow: false,
    maxLoaned: 3,
  });
  publisher.sendCopy(bytesOf('a'));
  let sending: Promise<number>;
  {
    using loan = publisher.loan(1);
    loan.bytes.set(bytesOf('b'));
    sending = loan.sendAsync();
  }
  const others = [publisher.loan(1), publisher.loan(1)];
  assert.throws(() => publisher.loan(1), { code: 'ERR_SEALANE_LIMIT_EXCEEDED' });
  for (const loan of others) loan.bytes.fill(0);
  assert.equal(text(subscriber.receive()), 'a');
  assert.equal(await sending, 1);
  assert.equal(text(subscriber.receive()), 'b');
  for (const loan of others) loan.release();
  assert.equal(publisher.figures.loaned, 0);
});

test('a publisher that blocks in send goes on when the subscriber of another process makes room', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ bufferSize: 2, overflow: false });
  const subscriber = await service.subscriber();
  const peer = stage.peer('sendMany', { count: 500 });
  await peer.line();
  for (let count = 1; count <= 500; count++) assert.equal(text(await subscriber.next()), String(count));
  assert.equal(subscriber.figures.missed, 0);
  assert.equal(await peer.line(), 'sent');
});

test('a publisher that blocks in send goes on when the subscriber is killed', async (t) => {
  const stage = new Stage(t);
  await stage.service({ bufferSize: 1, overflow: false });
  const slow = stage.peer('subscribe');
  const node = await slow.line();
  const sender = stage.worker('sendMany', { count: 100 });
  await sender.line();
  slow.tell('next');
  assert.equal(await slow.line(), '1');
  await slow.kill();
  assert.equal(await sender.line(), 'sent');
  await until(() => stage.filesOf(node).length === 0);
});

test('late subscribers get the last samples in their order, as many as they want, and then the new ones', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ history: 5, bufferSize: 8 });
  const publisher = await service.publisher();
  for (let count = 1; count <= 12; count++) publisher.sendCopy(bytesOf(count));
  for (const [options, expected] of [
    [{}, ['8', '9', '10', '11', '12']],
    [{ history: 2 }, ['11', '12']],
    [{ history: 0 }, []],
    [{ bufferSize: 3 }, ['10', '11', '12']],
  ] as const) {
    const subscriber = await service.subscriber(options);
    await subscriber.connected();
    assert.deepEqual(texts(subscriber), expected);
    assert.equal(subscriber.figures.missed, 0);
    subscriber.close();
  }
  const last = await service.subscriber({ history: 1 });
  await last.connected();
  publisher.sendCopy(bytesOf(13));
  assert.deepEqual(texts(last), ['12', '13']);
  await assert.rejects(service.subscriber({ bufferSize: 2, history: 3 }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
  });
});

test('a history that is longer than any buffer gives the newest that fit', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service({ history: 100, bufferSize: 3 });
  const publisher = await service.publisher();
  for (let count = 1; count <= 40; count++) publisher.sendCopy(bytesOf(count));
  const subscriber = await service.subscriber();
  await subscriber.connected();
  assert.deepEqual(texts(subscriber), ['38', '39', '40']);
});

test('a subscriber that comes while a sample waits for another gets that sample from the history', async (t) => {
  const stage = new Stage(t);
  const { service, publisher, subscriber } = await pair(stage, {
    bufferSize: 2,
    history: 2,
    overflow: false,
  });
  publisher.sendCopy(bytesOf(1));
  publisher.sendCopy(bytesOf(2));
  const loan = publisher.loan(1);
  loan.bytes.set(bytesOf(3));
  const sending = loan.sendAsync();
  const late = await service.subscriber();
  await joined([publisher], [subscriber, late]);
  assert.deepEqual(texts(late), ['2', '3']);
  assert.deepEqual(texts(subscriber), ['1', '2']);
  assert.equal(await sending, 1);
  publisher.sendCopy(bytesOf(4));
  const [sample, ...others] = late.receiveBatch(10);
  assert.deepEqual([sample?.missed, others.length, text(sample)], [0, 0, '4']);
  assert.deepEqual(texts(subscriber), ['3', '4']);
});

test('the preset `latest` never waits, keeps the newest only, and gives it to who comes late', async (t) => {
  const { service, subscriber, send } = await pair(new Stage(t), latest);
  for (let count = 1; count <= 100; count++) send(count);
  assert.deepEqual(texts(subscriber), ['100']);
  const late = await service.subscriber();
  await late.connected();
  assert.deepEqual(texts(late), ['100']);
  await until(() => service.settings.bufferSize === 1);
  assert.deepEqual({ ...latest }, { bufferSize: 1, history: 1, overflow: true });
});
