// Nodes and services: making and opening them, what does not fit, attributes, who is there, what happens, and closing in every order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Node, type NodeEvent, type ServiceEvent } from 'sealane';
import { bytesOf, event, joined, ownDescriptors, Stage, text, texts, until } from './nodes.test.helper.js';

test('a service is created once, opened only while it is there, and made by whoever comes first', async (t) => {
  const stage = new Stage(t);
  const [first, second] = [await stage.node(), await stage.node()];
  const missing = { code: 'ERR_SEALANE_NO_SERVICE', message: /"x"/ };
  await assert.rejects(first.service('x').openPublishSubscribe(), missing);
  const service = await first.service('x').createPublishSubscribe({ maxBytes: 100 });
  for (const node of [first, second])
    await assert.rejects(node.service('x').createPublishSubscribe(), {
      code: 'ERR_SEALANE_SERVICE_EXISTS',
      message: /"x" exists already/,
    });
  const opened = await second.service('x').openPublishSubscribe();
  assert.deepEqual(opened.settings, service.settings);
  assert.deepEqual([opened.name, opened.settings.maxBytes, opened.settings.alignment], ['x', 100, 64]);
  service.close();
  assert.equal(
    (await first.service('x').publishSubscribe()).settings.maxBytes,
    100,
    'it lived on in the other',
  );
  first.close();
  second.close();
  await assert.rejects((await stage.node()).service('x').openPublishSubscribe(), missing);
});

const existing = {
  ...{
    maxBytes: 1000,
    alignment: 128,
    userHeaderBytes: 16,
    maxPublishers: 3,
    maxSubscribers: 4,
    maxNodes: 5,
  },
  ...{ bufferSize: 6, history: 7, maxBorrowed: 8, maxLoaned: 9, overflow: false },
};

test('an opener that needs no more than there is fits; what does not is named with both values', async (t) => {
  const stage = new Stage(t);
  await stage.service(existing);
  const builder = (await stage.node()).service('x');
  await builder.openPublishSubscribe({ maxBytes: 1000, alignment: 8, history: 0, overflow: false });
  await builder.publishSubscribe({ ...existing, bufferSize: undefined as never });
  for (const [name, value] of Object.entries(existing)) {
    const equal = typeof value === 'boolean' || name === 'userHeaderBytes';
    let more: number | boolean = name === 'alignment' ? 256 : Number(value) + 1;
    if (typeof value === 'boolean') more = !value;
    const message = `has ${name} ${value}, and ${equal ? '' : 'at least '}${more} is required`;
    const mismatch = { code: 'ERR_SEALANE_SETTINGS_MISMATCH', message: new RegExp(message) };
    await assert.rejects(builder.openPublishSubscribe({ [name]: more }), mismatch);
    await assert.rejects(builder.publishSubscribe({ [name]: more }), mismatch);
    if (equal) continue;
    await builder.openPublishSubscribe({
      [name]: Number(value) / 2 > 8 ? 8 : 1,
      ...(name === 'alignment' ? { alignment: 64 } : {}),
    });
  }
});

test('settings outside of their limits, unknown ones and wrong names are refused', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const wrong = (name: string) => ({ code: 'ERR_SEALANE_INVALID_ARGUMENT', message: new RegExp(name) });
  for (const [settings, name] of [
    [{ bufferSize: 0 }, 'bufferSize'],
    [{ maxNodes: 4097 }, 'maxNodes'],
    [{ alignment: 100 }, 'alignment'],
    [{ overflow: 1 }, 'overflow'],
    [{ bufersize: 1 }, 'bufersize'],
  ] as const)
    await assert.rejects(node.service('x').publishSubscribe(settings as object), wrong(name));
  for (const name of ['', 'a\nb', 'x'.repeat(257)]) assert.throws(() => node.service(name), wrong('name'));
  for (const name of ['', 'x'.repeat(257)])
    await assert.rejects(
      Node.create({ name, directory: stage.directory }),
      wrong('^options.name must have 1 to 256 bytes'),
    );
  await assert.rejects(
    Node.create({ name: 'n', domain: '../x', directory: stage.directory }),
    wrong('domain|name'),
  );
  await assert.rejects(Node.create({ nane: 'n' } as never), wrong('nane'));
  const service = await node.service('x').publishSubscribe();
  await assert.rejects(service.publisher({ whenFull: 'never' as 'wait' }), wrong('whenFull'));
  await assert.rejects(service.subscriber({ bufferSize: 5 }), wrong('bufferSize'));
  assert.deepEqual(service.ports(), []);
});

test('attributes are what the creator defined, and what an opener requires of them', async (t) => {
  const stage = new Stage(t);
  const attributes = { format: 'rgb', camera: 'front' };
  const service = await stage.service({ attributes });
  assert.deepEqual({ ...service.attributes }, attributes);
  const builder = (await stage.node()).service('x');
  for (const required of [{}, { format: 'rgb' }, { camera: true }, { format: 'rgb', camera: true }] as const)
    await builder.openPublishSubscribe({ attributes: required });
  for (const [required, name] of [
    [{ format: 'yuv' }, 'format'],
    [{ lens: true }, 'lens'],
  ] as const)
    await assert.rejects(builder.openPublishSubscribe({ attributes: required as never }), {
      code: 'ERR_SEALANE_SETTINGS_MISMATCH',
      message: new RegExp(name),
    });
});

test('console.log shows of a service what it is, and nothing of what is behind it', async (t) => {
  const node = await new Stage(t).node();
  const samples = await node.service('x').publishSubscribe({ attributes: { unit: 'cm' } });
  const { name, settings, attributes } = samples;
  const shown = { name, messaging: 'publish-subscribe', settings, attributes, closed: false };
  assert.equal(inspect(samples), inspect(shown));
  assert.match(inspect(await node.service('y').event()), /name: 'y',\n {2}messaging: 'event',/);
});

test('domains are apart from each other', async (t) => {
  const stage = new Stage(t);
  const open = async (domain: string) => {
    const node = await Node.create({ name: domain, domain, directory: stage.directory });
    t.after(() => node.close());
    return await node.service('x').publishSubscribe();
  };
  const [a, b] = [await open('a'), await open('b')];
  const publisher = await a.publisher();
  const [near, far] = [await a.subscriber(), await b.subscriber()];
  await joined([publisher], [near]);
  assert.equal(publisher.sendCopy(bytesOf('here')), 1);
  assert.equal(text(near.receive()), 'here');
  assert.equal(far.receive(), undefined);
  assert.deepEqual(
    b.ports().map(({ kind }) => kind),
    ['subscriber'],
  );
});

test('ports() tells of all ports with their nodes, processes and options', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('x').publishSubscribe({ bufferSize: 3 });
  const peer = stage.peer('publish', { publisher: { maxBytes: 10, whenFull: 'drop' } });
  const other = await peer.line();
  const subscriber = await service.subscriber({ bufferSize: 2 });
  const ports = service.ports();
  const [published] = ports.filter(({ kind }) => kind === 'publisher');
  const [subscribed] = ports.filter(({ kind }) => kind === 'subscriber');
  assert.equal(ports.length, 2);
  assert.deepEqual([published?.node, published?.pid, published?.problem], [other, peer.pid, undefined]);
  assert.deepEqual([published?.options.maxBytes, published?.options.whenFull], [10, 'drop']);
  assert.deepEqual([subscribed?.node, subscribed?.pid], [node.id, process.pid]);
  assert.deepEqual([subscribed?.port, subscribed?.options.bufferSize], [subscriber.port, 2]);
  subscriber.close();
  assert.equal(service.ports().length, 1);
});

/** Events until there were as many. */
async function some(events: AsyncIterable<ServiceEvent>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const one of events) {
    seen.push('kind' in one ? `${one.type} ${one.kind}` : one.type);
    if (seen.length === count) break;
  }
  return seen;
}

test('events tell of ports that come and go, and of connections', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const other = await stage.service();
  const events = service.events();
  const subscriber = await service.subscriber();
  const publisher = await other.publisher();
  const seen = some(events, 5);
  await joined([publisher], [subscriber]);
  publisher.close();
  assert.deepEqual((await seen).sort(), [
    'arrived publisher',
    'arrived subscriber',
    'connected',
    'departed publisher',
    'lost',
  ]);
  const [own, aborted] = [service.events(), service.events({ signal: AbortSignal.abort() })];
  await assert.rejects(aborted.next(), { code: 'ERR_SEALANE_ABORTED' });
  service.close();
  assert.equal((await own.next()).done, true);
  assert.throws(() => service.events(), { code: 'ERR_SEALANE_CLOSED' });
});

test('events name both ends of a connection', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const service = await node.service('x').publishSubscribe();
  const events = service.events();
  const publisher = await service.publisher();
  const peer = stage.peer('subscribe');
  const other = await peer.line();
  const connected = await event(events, 'connected');
  const end = { node: other, port: 1, pid: peer.pid };
  assert.deepEqual(connected, { type: 'connected', port: publisher.port, peer: end });
  assert.deepEqual(publisher.figures.subscribers, [{ ...end, held: 0, lost: 0 }]);
});

test('who is slow to follow events misses the oldest, and is told how many', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const slow = service.events();
  const quick = service.events();
  let arrivals = 0;
  for (; arrivals < 600; arrivals++) {
    const subscriber = await service.subscriber();
    await event(quick, 'arrived');
    subscriber.close();
    await event(quick, 'departed');
  }
  const first = await slow.next();
  assert.deepEqual(first.value, { type: 'missed', count: 2 * arrivals - 1024 });
  const oldest = await event(slow, 'arrived');
  assert.equal(oldest.port, (2 * arrivals - 1024) / 2 + 1);
});

test('a publisher that can not be connected to for now is told as degraded, and tried again', async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const events = service.events();
  const limited = { wrapper: ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'] };
  const peer = stage.peer('exhausted', {}, limited);
  const node = await peer.line();
  const subscriber = await service.subscriber();
  for (let count = 0; count < 2; count++) {
    const degraded = await event(events, 'degraded');
    assert.deepEqual(degraded.peer, { kind: 'publisher', node, port: 1 });
    assert.equal(degraded.port, subscriber.port);
    assert.match(degraded.error.message, /a publisher refuses/);
  }
  assert.deepEqual(subscriber.figures.publishers, []);
  peer.tell('go on');
  await subscriber.connected();
});

test('node.events() tells of nodes and services of the domain', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const events = node.events();
  const seen: NodeEvent[] = [];
  const following = (async () => {
    for await (const one of events) seen.push(one);
  })();
  const other = await stage.node();
  const service = await other.service('y').publishSubscribe();
  await until(() => seen.length === 2);
  service.close();
  other.close();
  await until(() => seen.length === 4);
  const words = seen.map((one) => ('kind' in one ? `${one.type} ${one.kind}` : one.type));
  assert.deepEqual(words.sort(), ['arrived node', 'arrived service', 'departed node', 'departed service']);
  const ids = seen.flatMap((one) => ('kind' in one && one.kind === 'node' ? [one.name] : []));
  assert.deepEqual(ids, [other.id, other.id]);
  node.close();
  await following;
  assert.throws(() => node.events(), { code: 'ERR_SEALANE_CLOSED' });
});

for (const [what, options, ends] of [
  ['keeps its process alive', {}, false],
  ['lets its process end when it is unref’d', { unref: true }, true],
  ['keeps it alive again after ref', { unref: true, ref: true }, false],
] as const) {
  test(`a node with ports ${what}`, async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const subscriber = await service.subscriber();
    const peer = stage.peer('onlyNode', options);
    const node = await peer.line();
    if (ends) {
      assert.equal(await peer.ended(), 0);
      await until(() => stage.filesOf(node).length === 0);
      return;
    }
    // Its event loop goes on serving: a subscriber that comes now is connected.
    await subscriber.connected();
    const late = await service.subscriber();
    await late.connected();
    assert.equal(peer.child.exitCode, null);
    await peer.kill();
  });
}

test('a node that opens a service twice takes part until both are closed, and each has its own ports', async (t) => {
  const stage = new Stage(t);
  const node = await stage.node();
  const [first, second] = [
    await node.service('x').publishSubscribe(),
    await node.service('x').publishSubscribe(),
  ];
  const publishers = [await first.publisher(), await second.publisher()];
  const subscribers = [await first.subscriber(), await second.subscriber()];
  await joined(publishers, subscribers);
  const ports = [...publishers, ...subscribers].map(({ port }) => port);
  assert.equal(new Set(ports).size, 4);
  first.close();
  await until(() => subscribers[1]?.figures.publishers.length === 1);
  assert.equal(publishers[0]?.closed, true);
  assert.equal(publishers[1]?.sendCopy(bytesOf('still')), 1);
  assert.equal(text(subscribers[1]?.receive()), 'still');
  const other = await stage.service();
  assert.equal(other.ports().length, 2);
  await other.publisher();
  await subscribers[1]?.connected(2);
  second.close();
  assert.equal(
    stage.files().filter((name) => name.includes(`/${node.id}`) && name.startsWith('services')).length,
    0,
  );
});

test('many nodes of one thread, each with ports, reach each other', async (t) => {
  const stage = new Stage(t);
  const services = await Promise.all(Array.from({ length: 6 }, () => stage.service()));
  const publishers = await Promise.all(services.map((service) => service.publisher()));
  const subscribers = await Promise.all(services.map((service) => service.subscriber()));
  await joined(publishers, subscribers);
  for (const [index, publisher] of publishers.entries()) assert.equal(publisher.sendCopy(bytesOf(index)), 6);
  for (const subscriber of subscribers)
    assert.deepEqual(texts(subscriber).sort(), ['0', '1', '2', '3', '4', '5']);
});

/** All orders of these. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item) =>
    orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

test('closing in every order, and twice, leaves no file and no descriptor', async (t) => {
  const stage = new Stage(t);
  const before = ownDescriptors();
  for (const order of orders(['publisher', 'subscriber', 'service', 'node'] as const)) {
    const node = await stage.node();
    const service = await node.service('x').publishSubscribe();
    const publisher = await service.publisher();
    const subscriber = await service.subscriber();
    await joined([publisher], [subscriber]);
    publisher.sendCopy(bytesOf('a'));
    publisher.sendCopy(bytesOf('b'));
    const [loan, sample] = [publisher.loan(1), subscriber.receive()];
    const all = { publisher, subscriber, service, node };
    for (const name of order) all[name].close();
    for (const name of order) await all[name][Symbol.asyncDispose]();
    loan.release();
    sample?.release();
    for (const name of order) assert.equal(all[name].closed, true);
    await assert.rejects(service.publisher(), { code: 'ERR_SEALANE_CLOSED' });
    await assert.rejects(service.subscriber(), { code: 'ERR_SEALANE_CLOSED' });
    assert.throws(() => service.ports(), { code: 'ERR_SEALANE_CLOSED' });
    assert.throws(() => node.service('x'), { code: 'ERR_SEALANE_CLOSED' });
    assert.deepEqual(stage.files(), [], order.join(' '));
  }
  assert.deepEqual(ownDescriptors(), before);
});

test('what is closed in the middle of connecting leaves nothing', async (t) => {
  const stage = new Stage(t);
  const before = ownDescriptors();
  for (let turns = 0; turns < 30; turns++) {
    const nodes = [await stage.node(), await stage.node()];
    const services = await Promise.all(nodes.map((node) => node.service('x').publishSubscribe()));
    await services[0]?.publisher();
    await services[1]?.subscriber();
    for (let turn = 0; turn < turns % 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    nodes[turns % 2]?.close();
    nodes[(turns + 1) % 2]?.close();
  }
  assert.deepEqual(ownDescriptors(), before);
  assert.deepEqual(stage.files(), []);
});
