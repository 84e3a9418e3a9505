// Nodes and services from the command line: real processes that publish, subscribe, measure and die, and what scripts see of it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Node } from 'sealane';
import { SEALANE } from './command.test.helper.js';
import { Playground, type Running } from './messaging.test.helper.js';

const place = new Playground();
after(() => place.remove());
const { folder, env, start, run, json } = place;

/** A publisher that never ends by itself, with its first sample sent. */
async function beating(
  t: { after(action: () => Promise<unknown>): void },
  service: string,
): Promise<Running> {
  const publisher = start(`service publish ${service} --rate 200 --history 1`, 'beat');
  t.after(() => publisher.stop('SIGKILL'));
  await start(`service subscribe ${service} --wait --count 1`).ended;
  return publisher;
}

test('an empty domain has nothing, and what is not there is named with the next step', () => {
  for (const words of ['node list', 'service list', 'node list --json', 'service list --domain other']) {
    const { status, stdout, stderr } = run(words);
    assert.deepEqual([status, stdout, stderr], [0, '', ''], words);
  }
  for (const verb of ['inspect', 'subscribe', 'hz', 'bw']) {
    const { status, stderr } = run(`service ${verb} none`);
    assert.equal(status, 3, verb);
    assert.match(stderr, /^sealane: .*no service "?none.*; `sealane service list` shows/, verb);
  }
  const { status, stderr } = run('service subscribe none --domain other --json');
  assert.equal(status, 3);
  const { error } = json(stderr) as { error: Record<string, unknown> };
  assert.equal(error.code, 'ERR_SEALANE_NO_SERVICE');
  assert.match(String(error.hint), /--domain other/);
  assert.equal(run('node inspect none').status, 3);
});

test('wrong usage is told before anything is done', () => {
  const cases: [words: string, hint: RegExp][] = [
    ['service publish x --lines --size 3', /--lines.*--size/],
    ['service publish x --stay', /--latest or --history/],
    ['service publish x --rate 0', /a number above 0/],
    ['service publish x --latest --history 2', /--latest.*--history/],
    ['service subscribe x --raw --lines', /--raw.*--lines/],
    ['service subscribe x --raw --json', /leave out --json/],
    ['service hz x --nonsense', /see `sealane service hz --help`/],
    ['service publish x', /--file - to publish an empty sample/],
    ['service list --domain ../x', /domain must .*--help shows what it takes/],
  ];
  for (const [words, hint] of cases) {
    const { status, stderr } = run(words);
    assert.equal(status, 2, `${words}: ${stderr}`);
    assert.match(stderr, hint);
  }
});

test('10 MiB come out of a pipe as they went into another: whole, in records, and from a file', async () => {
  const content = randomBytes(10 << 20);
  const file = join(folder, 'content.bin');
  writeFileSync(file, content);
  const ways: [words: string, input: Buffer | undefined][] = [
    ['', content],
    ['--size 100000 --no-overflow', content],
    [`--file ${file}`, undefined],
    [`--file ${file} --size 1MiB --no-overflow`, undefined],
  ];
  for (const [words, input] of ways) {
    const subscriber = start('service subscribe pipe --wait --raw --until-gone');
    const publisher = start(`service publish pipe --wait-subscribers 1 --json ${words}`.trim(), input);
    const [sent, got] = await Promise.all([publisher.ended, subscriber.ended]);
    assert.deepEqual([sent.status, sent.stderr, got.status, got.stderr], [0, '', 0, ''], words);
    assert.ok(got.stdout.equals(content), words);
    assert.equal(json(sent.stdout.toString()).bytes, content.length);
  }
});

test('subscribers that are there already get all, and who reaches nobody is told', async (t) => {
  const nobody = run('service publish standing --max-bytes 100', 'lost');
  assert.deepEqual([nobody.status, nobody.stdout], [0, '']);
  assert.match(nobody.stderr, /^sealane: 0 subscribers: nobody got anything; --wait-subscribers 1 waits/);
  const alone = run('service publish standing --json', 'lost');
  assert.deepEqual(
    [alone.stderr, json(alone.stdout)],
    ['', { service: 'standing', samples: 1, bytes: 4, subscribers: 0 }],
  );
  await using node = await Node.create({ name: 'owner', directory: folder });
  await using service = await node.service('standing').createPublishSubscribe({ maxBytes: 100 });
  const subscriber = start('service subscribe standing --lines --count 5');
  t.after(() => subscriber.stop('SIGKILL'));
  const publisher = await service.publisher();
  await publisher.connected();
  publisher.close();
  for (let index = 0; index < 5; index++) {
    const { status, stdout, stderr } = run('service publish standing --json', `sample ${index}`);
    assert.deepEqual([status, stderr, json(stdout).subscribers], [0, '', 1]);
  }
  const got = (await subscriber.ended).stdout.toString().trimEnd().split('\n');
  assert.deepEqual(
    got,
    Array.from({ length: 5 }, (_, index) => `sample ${index}`),
  );
});

test('a publisher may grow: its memory follows what is sent', async () => {
  const subscriber = start('service subscribe growing --wait --raw --until-gone');
  const words =
    'service publish growing --payload growing --max-bytes 1GiB --wait-subscribers 1 --size 300000';
  const content = randomBytes(1_000_000);
  const publisher = start(`${words} --no-overflow`, content);
  assert.deepEqual([(await publisher.ended).status, (await publisher.ended).stderr], [0, '']);
  assert.ok((await subscriber.ended).stdout.equals(content));
  assert.equal(run('service publish growing --payload grows', 'x').status, 2);
});

test('lines are samples, and come out as lines', async () => {
  const text = `first\n\nn\u00e4chste\n${'x'.repeat(70_000)}\nno end`;
  const subscriber = start('service subscribe lines --wait --lines --until-gone');
  const publisher = start(
    'service publish lines --lines --max-bytes 70000 --buffer-size 8 --wait-subscribers 1',
    text,
  );
  assert.equal((await publisher.ended).status, 0);
  assert.equal((await subscriber.ended).stdout.toString(), `${text}\n`);
});

test('samples are printed as lines of fields, or as JSON with their payload', async (t) => {
  const publisher = await beating(t, 'fields');
  const [line = ''] = (await start('service subscribe fields --count 1').ended).stdout.toString().split('\n');
  assert.match(line, /^\d+\t[0-9a-f]{16}:1\t4\t[\d.]+\tmissed=\d+\t"beat"$/);
  const { stdout } = await start('service subscribe fields --count 2 --json').ended;
  const [sample, next, end] = stdout.toString().split('\n');
  assert.equal(end, '');
  const { payload, pid, bytes, sequence, timestampNs } = json(sample);
  assert.equal(Buffer.from(String(payload), 'base64').toString(), 'beat');
  assert.deepEqual([pid, bytes, typeof timestampNs], [publisher.child.pid, 4, 'string']);
  assert.ok(Number(json(next).sequence) > Number(sequence));
  const bare = json(
    (await start('service subscribe fields --count 1 --json --no-payload').ended).stdout.toString(),
  );
  assert.equal(bare.payload, undefined);
});

test('rates and bandwidths are measured, one line or object each time', async (t) => {
  await beating(t, 'measured');
  const lines = await start('service hz measured --interval 250ms --count 3').lines(3);
  for (const line of lines)
    assert.match(
      line,
      /^hz=[\d.]+\tmin_us=\S+\tmean_us=\S+\tmax_us=\S+\tstddev_us=\S+\tmissed=\d+\tpublishers=1$/,
    );
  const { stdout, status } = await start('service bw measured --interval 250ms --count 2 --json').ended;
  assert.equal(status, 0);
  const [first, second] = stdout.toString().trim().split('\n').map(json);
  assert.equal(first?.service, 'measured');
  const { samples, bytes, publishers, sampleBytes } = second as {
    samples: number;
    bytes: number;
    publishers: Record<string, unknown>[];
    sampleBytes: Record<string, number>;
  };
  assert.ok(samples > 0);
  assert.deepEqual([bytes, publishers.length, publishers[0]?.bytes], [samples * 4, 1, bytes]);
  assert.deepEqual(sampleBytes, { min: 4, mean: 4, max: 4, stddev: 0 });
});

test('a service and its node are listed with their processes, and a killed one is gone', async (t) => {
  const publisher = await beating(t, 'killed');
  const service = json(run('service inspect killed --json').stdout);
  const [port] = service.ports as Record<string, unknown>[];
  assert.deepEqual([port?.kind, port?.pid], ['publisher', publisher.child.pid]);
  const [node] = service.nodes as Record<string, unknown>[];
  const id = String(node?.id);
  assert.match(run('service list').stdout, /^alive\tnodes=1\tpublishers=1\tsubscribers=0\t4\tkilled$/m);
  assert.match(run('node list').stdout, new RegExp(`^${id}\talive\t${publisher.child.pid}\t`, 'm'));
  const facts = run(`node inspect ${id.slice(0, 12)}`).stdout;
  assert.match(facts, /^service\tkilled$/m);
  assert.match(facts, /^publisher\tkilled\tport=1\tmaxBytes=4 /m);
  assert.match(run('service inspect killed').stdout, /^setting\.history\t1$/m);

  const subscriber = start('service subscribe killed --until-gone --json');
  await subscriber.lines(1);
  await publisher.stop('SIGKILL');
  assert.equal((await subscriber.ended).status, 0);
  assert.equal(run('service inspect killed').status, 3);
  assert.doesNotMatch(run('node list').stdout, new RegExp(`${id}\talive`));
});

test('a signal ends subscribers with its exit code, also when nobody reads what they write, and they leave nothing', async (t) => {
  await beating(t, 'signals');
  const subscriber = start('service subscribe signals');
  await subscriber.lines(1);
  assert.deepEqual((await subscriber.stop('SIGINT')).status, 130);
  const meter = start('service hz signals --interval 50ms');
  await meter.lines(1);
  assert.deepEqual((await meter.stop('SIGTERM')).status, 143);

  const stalled = spawn(SEALANE, 'service subscribe signals --raw'.split(' '), {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(stalled.stdout, 'readable');
  stalled.kill('SIGINT');
  assert.deepEqual(await once(stalled, 'exit'), [130, null]);
  assert.match(run('service list').stdout, /^alive\tnodes=1\tpublishers=1\tsubscribers=0\t4\tsignals$/m);
});

test('a subscriber whose reader stalls holds nobody up, and a signal ends it all the same', async (t) => {
  const publisher = start(
    'service publish stalled --rate 400 --file - --max-bytes 1MiB',
    Buffer.alloc(1 << 20),
  );
  t.after(() => publisher.stop('SIGKILL'));
  const stalled = spawn(SEALANE, 'service subscribe stalled --wait --raw'.split(' '), {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => stalled.kill('SIGKILL'));
  await once(stalled.stdout, 'readable');
  const figures = json((await start('service hz stalled --interval 500ms --count 2 --json').lines(2))[1]);
  assert.ok(Number(figures.samples) > 10, JSON.stringify(figures));
  stalled.kill('SIGTERM');
  assert.deepEqual(await once(stalled, 'exit'), [143, null]);
});

test('a subscriber whose reader stalls misses samples, and keeps no lines in memory', async () => {
  const words = 'service subscribe unread --wait --json --until-gone';
  const subscriber = spawn(SEALANE, words.split(' '), { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const publish = 'service publish unread --rate 200 --count 100 --wait-subscribers 1';
  assert.equal((await start(publish, Buffer.alloc(1 << 20)).ended).status, 0);
  let text = '';
  for await (const chunk of subscriber.stdout.setEncoding('utf8')) text += chunk;
  const lines = text.trimEnd().split('\n').map(json);
  assert.ok(lines.length < 20, `${lines.length} lines`);
  assert.equal(lines.at(-1)?.sequence, 100);
});

test('a reader that goes away ends a subscriber without an error', async (t) => {
  await beating(t, 'head');
  const script = '"$SEALANE" service subscribe head --raw | head -c 1; echo $PIPESTATUS';
  const { stdout, stderr } = spawnSync('bash', ['-c', script], {
    env: { ...env, SEALANE },
    encoding: 'utf8',
  });
  assert.deepEqual([stderr, stdout], ['', 'b0\n']);
});

test('waiting ends when its time is over', () => {
  const cases: [words: string, message: RegExp][] = [
    [
      'service publish alone --file /dev/null --wait-subscribers 1 --timeout 50ms',
      /0 subscribers of 1 came within 50\.0 ms/,
    ],
    ['service subscribe alone --wait --timeout 50ms', /no service alone appeared within 50\.0 ms/],
  ];
  for (const [words, message] of cases) {
    const { status, stderr } = run(words);
    assert.equal(status, 8, stderr);
    assert.match(stderr, message);
  }
});

test('a setting that does not fit is named, with where to look', async () => {
  await using node = await Node.create({ name: 'owner', directory: folder });
  await node.service('fixed').createPublishSubscribe({ maxBytes: 10, attributes: { format: 'rgba' } });
  const large = run('service publish fixed', 'more than ten bytes');
  assert.equal(large.status, 1);
  assert.match(large.stderr, /has maxBytes 10, and at least 19 is required.*`sealane service inspect NAME`/);
  const other = run('service subscribe fixed --attribute format=yuv');
  assert.match(other.stderr, /format/);
  assert.equal(other.status, 1);
});

test('a history is kept for late subscribers until the publisher is interrupted', async () => {
  const publisher = start('service publish config --latest --stay --json', '{"a":1}');
  await publisher.lines(1);
  const late = await start('service subscribe config --raw --count 1').ended;
  assert.equal(late.stdout.toString(), '{"a":1}');
  assert.equal((await publisher.stop('SIGINT')).status, 130);
});

test('top tells of all services: a line for each in a pipe, one object for each look as JSON', async (t) => {
  await beating(t, 'top/one');
  const subscriber = start('service subscribe top/one');
  t.after(() => subscriber.stop('SIGKILL'));
  await subscriber.lines(1);
  const line = (await start('top top/* --count 1').lines(1))[0] ?? '';
  assert.match(
    line,
    /^publishers=1\tsubscribers=1\tsent_per_second=[\d.]+\treceived_per_second=[\d.]+\tp50_us=\S+\tp99_us=\S+\tfill=[\d.]+\tlost_per_second=[\d.]+\tlost=\d+\tborrowed=\d+\tleaked=0\ttop\/one$/,
  );
  const { status, stdout } = run('top --count 2 --interval 200ms --json top/one');
  assert.equal(status, 0);
  const looks = stdout.trimEnd().split('\n').map(json);
  assert.equal(looks.length, 2);
  const { services, nodes } = looks[1] ?? {};
  const [service] = services as Record<string, unknown>[];
  assert.equal(service?.name, 'top/one');
  assert.ok((service.sentPerSecond as number) > 0);
  assert.equal((nodes as unknown[]).length, 2);
  const nothing = run('top --count 3 --interval 50ms nobody/*');
  assert.deepEqual([nothing.stdout, nothing.stderr], ['', 'sealane: no service matches nobody/* yet\n']);
});

test('top ends with the signal that interrupts it, and names wrong arguments', async () => {
  const top = start('top --interval 10ms --json');
  await top.lines(1);
  assert.equal((await top.stop('SIGTERM')).status, 143);
  for (const words of ['top --interval 1ms', 'top --sort size', 'top --count 0'])
    assert.equal(run(words).status, 2, words);
});
