// Events from the command line: real processes that notify, listen, wait and die, and what scripts see of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Node } from 'sealane';
import { Playground } from './messaging.test.helper.js';

const place = new Playground();
after(() => place.remove());
const { start, run, json } = place;

test('what is notified is printed: the id, and how often', async () => {
  const listener = start('event listen counted --wait --count 6');
  const one = await start('event notify counted 7 --wait-listeners 1 --json').ended;
  assert.deepEqual(json(one.stdout.toString()), {
    ...{ service: 'counted', id: 7, notifications: 1, listeners: 1 },
  });
  assert.equal(run('event notify counted 1023 --count 5').status, 0);
  const { status, stdout, stderr } = await listener.ended;
  assert.deepEqual([status, stderr], [0, '']);
  const counts = new Map<string, number>();
  for (const line of stdout.toString().trimEnd().split('\n')) {
    const [, id = '', count] = /^(\d+)\tcount=(\d+)\t[0-9a-f]{16}:1$/.exec(line) ?? assert.fail(line);
    counts.set(id, (counts.get(id) ?? 0) + Number(count));
  }
  assert.deepEqual(
    [...counts],
    [
      ['7', 1],
      ['1023', 5],
    ],
  );
});

test('who tells nobody is told so', () => {
  const { status, stdout, stderr } = run('event notify unheard');
  assert.deepEqual([status, stdout], [0, '']);
  assert.match(stderr, /^sealane: 0 listeners: nobody was told; --wait-listeners 1 waits for one$/m);
  const told = run('event notify unheard --json');
  assert.deepEqual([told.stderr, json(told.stdout).listeners], ['', 0]);
});

test('top counts notifiers and listeners of events', async (t) => {
  const notifier = start('event notify looked 0 --rate 100');
  t.after(() => notifier.stop('SIGKILL'));
  const listener = start('event listen looked --wait');
  t.after(() => listener.stop('SIGKILL'));
  await listener.lines(1);
  assert.match(run('top looked --count 1').stdout, /^notifiers=1\tlisteners=1\tsent_per_second=/);
});

test('a listener that is stopped is told exactly how often it was notified', async (t) => {
  await using node = await Node.create({ name: 'notifier', directory: place.folder });
  await using service = await node.service('stopped').createEvent();
  const notifier = await service.notifier({ id: 4 });
  const listener = start('event listen stopped --count 1000001 --json');
  t.after(() => listener.stop('SIGKILL'));
  await notifier.connected();
  notifier.notify(3);
  await listener.lines(1);
  listener.child.kill('SIGSTOP');
  for (let index = 0; index < 1_000_000; index++) notifier.notify();
  listener.child.kill('SIGCONT');
  const { status, stdout } = await listener.ended;
  assert.equal(status, 0);
  const [first, ...rest] = stdout.toString().trimEnd().split('\n').map(json);
  assert.deepEqual([first?.id, first?.count, first?.pid], [3, 1, process.pid]);
  assert.ok(rest.every(({ type, id }) => type === 'event' && id === 4));
  assert.equal(
    rest.reduce((sum, { count }) => sum + Number(count), 0),
    1_000_000,
  );
});

test('with --one each notification tells one of several listeners', async () => {
  const listeners = [1, 2].map(() => start('event listen shared --wait --until-gone --json'));
  const { stdout } = await start('event notify shared 5 --one --count 100 --wait-listeners 2 --json').ended;
  assert.equal(json(stdout.toString()).listeners, 1);
  const ended = await Promise.all(listeners.map((listener) => listener.ended));
  const lines = ended.flatMap(({ stdout: text }) => text.toString().split('\n').slice(0, -1));
  assert.equal(
    lines.map(json).reduce((sum, { count }) => sum + Number(count), 0),
    100,
  );
});

test('a notifier that is killed is gone, and what it notified before is told', async () => {
  const listener = start('event listen killed --wait --until-gone --json');
  const notifier = start('event notify killed 9 --rate 200 --wait-listeners 1');
  await listener.lines(3);
  await notifier.stop('SIGKILL');
  const { status, stderr } = await listener.ended;
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(run('event listen killed').status, 3);
});

test('the service tells of notifiers that come, close and die, if it is made so', async (t) => {
  const words = 'event notify told 9 --notifier-created 1 --notifier-dropped 2 --notifier-dead 3';
  await using node = await Node.create({ name: 'owner', directory: place.folder });
  await using service = await node
    .service('told')
    .createEvent({ notifierCreated: 1, notifierDropped: 2, notifierDead: 3 });
  assert.equal(service.settings.eventIds, 1024);
  const listener = start('event listen told --json');
  t.after(() => listener.stop('SIGKILL'));
  assert.equal(run(`${words} --wait-listeners 1`).status, 0);
  const ids = async (count: number) => (await listener.lines(count)).map((line) => json(line).id);
  assert.deepEqual(await ids(3), [1, 9, 2]);
  const dying = start(`${words} --rate 1 --wait-listeners 1`);
  assert.deepEqual((await ids(5)).slice(3), [1, 9]);
  await dying.stop('SIGKILL');
  assert.equal((await ids(6))[5], 3);
});

test('a deadline that passes is told', async (t) => {
  const notifier = start('event notify late 0 --deadline 50ms --count 1000 --rate 0.001');
  t.after(() => notifier.stop('SIGKILL'));
  const listener = start('event listen late --wait');
  t.after(() => listener.stop('SIGKILL'));
  // The first may be the notification, if that waited for the listener.
  assert.match((await listener.lines(2))[1] ?? '', /^deadline\telapsed_ms=[\d.]+$/);
});

test('listeners end by a signal, by --timeout and with their reader', async (t) => {
  const notifier = start('event notify ends 0 --rate 200');
  t.after(() => notifier.stop('SIGKILL'));
  const listener = start('event listen ends --wait');
  await listener.lines(1);
  assert.equal((await listener.stop('SIGINT')).status, 130);
  const unread = start('event listen ends --json');
  await unread.lines(1);
  unread.child.stdout?.destroy();
  const [status, signal] = await once(unread.child, 'exit');
  assert.deepEqual([status, signal], [0, null]);
  await notifier.stop('SIGKILL');
  const { status: none, stderr } = run('event listen ends --wait --timeout 50ms');
  assert.equal(none, 8);
  assert.match(stderr, /no service ends appeared within 50\.0 ms/);
});

test('what can not be is refused with the next step', async () => {
  const cases: [words: string, status: number, hint: RegExp][] = [
    ['event notify x one', 2, /^sealane: invalid id: one; it takes a whole number from 0/],
    ['event notify x 1024', 2, /^sealane: the id must .*1024/],
    ['event notify x --rate 0', 2, /a number above 0/],
    ['event listen x', 3, /no service "?x.*; `sealane service list` shows/],
    ['event notify x --wait-listeners 1 --timeout 50ms', 8, /0 listeners of 1 came within 50\.0 ms/],
  ];
  for (const [words, expected, hint] of cases) {
    const { status, stderr } = run(words);
    assert.equal(status, expected, `${words}: ${stderr}`);
    assert.match(stderr, hint);
  }
  await using node = await Node.create({ name: 'owner', directory: place.folder });
  await using service = await node.service('samples').createPublishSubscribe();
  assert.equal(service.closed, false);
  const other = run('event notify samples');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /`sealane service inspect NAME` shows what it has/);
});
