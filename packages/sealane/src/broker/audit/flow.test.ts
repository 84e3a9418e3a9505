/** A broker whose audit is not taken: what it does and what it does not meanwhile, under either policy. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { directory, get, startBroker, until } from '../raw-client.test.helper.js';
import { MemorySink, readLines, Told } from './audit.test.helper.js';
import { AuditFile } from './file.js';

const STATUS = { type: 'status' } as const;

/** So many turns of the event loop, which is the broker's too: whatever it could do by now it has done. */
async function turns(count = 50): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A pipe and the end that reads it, which reads nothing by itself. */
function pipe(t: TestContext): { path: string; read: () => string } {
  const path = join(directory(t), 'audit');
  const made = spawnSync('mkfifo', [path], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const bytes = Buffer.alloc(1 << 16);
  const read = (): string => {
    try {
      return bytes.toString('utf8', 0, readSync(fd, bytes));
    } catch {
      return '';
    }
  };
  return { path, read };
}

test('wait: at the bound nobody is read and nobody accepted, whoever filled it; with room all goes on', async (t) => {
  const sink = new MemorySink();
  const { broker, open, connect } = await startBroker(t, { audit: { sink, maxBufferBytes: 4_096 } });
  const [greedy, bystander] = [await open(), await open()];
  sink.hold();
  let answered = 0;
  const all = Array.from({ length: 60 }, () =>
    greedy.refused('notFound', get('none')).then(() => {
      answered++;
    }),
  );
  await turns();
  // A line has more than 200 bytes, and a turn of a connection 16 requests.
  assert(answered > 10 && answered < 40, `${answered} were answered`);
  let bystanders = 0;
  const status = bystander.call(STATUS).then(() => bystanders++);
  const newcomer = connect();
  const hello = newcomer.hello().then(() => bystanders++);
  await turns();
  assert.deepEqual([bystanders, broker.status().connections], [0, 2]);
  // The broker lives, and says so to a watchdog.
  await broker.probe();
  const stuck = answered;
  await turns();
  assert.equal(answered, stuck);
  sink.release();
  await Promise.all([...all, status, hello]);
  await broker.stop();
  assert.equal(sink.lines.length, 60);
});

test('wait: what is under way when the bound is met is recorded all the same', async (t) => {
  const sink = new MemorySink();
  const { broker, open } = await startBroker(t, { audit: { sink, maxBufferBytes: 4_096 } });
  const [waiter, writer] = [await open(), await open()];
  const waiting = Array.from({ length: 20 }, () => waiter.call(get('late', true)));
  await waiter.call(STATUS);
  sink.hold();
  const fill = Array.from({ length: 30 }, () => writer.refused('notFound', get('none')));
  const put = writer.put('late');
  sink.release();
  await Promise.all([...waiting, ...fill, put]);
  await broker.stop();
  assert.equal(sink.lines.filter(({ op, result }) => op === 'get' && result === 'ok').length, 20);
  assert.equal(sink.lines.length, 51);
});

test('drop: everybody is served while nothing is taken; a line says how many are missing', async (t) => {
  const { path, read } = pipe(t);
  const file = await AuditFile.open(path);
  const told = new Told();
  const { broker, open } = await startBroker(t, {
    audit: { sink: file, whenFull: 'drop', maxBufferBytes: 65_536, onTrouble: told.say },
  });
  const client = await open();
  for (let round = 0; round < 100; round++)
    await Promise.all(Array.from({ length: 30 }, () => client.refused('notFound', get('none'))));
  assert.match(await told.message(0), /lines are dropped/);
  let text = '';
  await until('the line is there', () => {
    text += read();
    return text.includes('"op":"dropped"');
  });
  await client.refused('notFound', get('last'));
  await broker.stop();
  await file.close();
  for (let part = read(); part !== ''; part = read()) text += part;
  const lines = readLines(text);
  const dropped = lines
    .filter(({ op }) => op === 'dropped')
    .reduce((sum, { count }) => sum + (count ?? 0), 0);
  const kept = lines.filter(({ op }) => op === 'get').length;
  assert.equal(kept + dropped, 3_001);
  assert(kept > 100 && dropped > 100, `${kept} kept, ${dropped} dropped`);
  assert.equal(lines.at(-1)?.name, 'last');
});

for (const whenFull of ['wait', 'drop'] as const) {
  test(`${whenFull}: a reader that stopped does not keep the broker from ending, and what is lost is told`, async (t) => {
    const { path } = pipe(t);
    const file = await AuditFile.open(path);
    const told = new Told();
    const { broker, open } = await startBroker(t, {
      audit: { sink: file, whenFull, maxBufferBytes: 65_536, onTrouble: told.say },
    });
    const client = await open();
    const calls = Array.from({ length: 2_000 }, () => client.call(get('none')).catch(() => undefined));
    await turns(200);
    await broker.stop();
    await file.close();
    await Promise.all(calls);
    assert.match(
      told.messages.at(-1) ?? '',
      /^the broker ended, and \d+ lines of the audit could not be written/,
    );
  });
}

test('a failing sink holds up a broker that waits, until it takes lines again', async (t) => {
  const sink = new MemorySink();
  const told = new Told();
  const { broker, open } = await startBroker(t, {
    audit: { sink, maxBufferBytes: 4_096, onTrouble: told.say },
  });
  const client = await open();
  sink.hold();
  const all = Array.from({ length: 60 }, () => client.refused('notFound', get('none')));
  await sink.asked();
  sink.take(100, new Error('the disk is full'));
  assert.match(await told.message(0), /the disk is full; the broker serves nobody once its buffer is full/);
  await turns();
  assert.equal(sink.text.length, 100);
  await sink.asked();
  sink.release();
  await Promise.all(all);
  await broker.stop();
  assert.equal(sink.lines.length, 60);
});
