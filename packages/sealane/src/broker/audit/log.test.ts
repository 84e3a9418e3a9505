/** The buffer of an audit: batches, the bound and both policies, failures of the sink, and the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../raw-client.test.helper.js';
import { MemorySink, readLines, Told } from './audit.test.helper.js';
import { AuditLog, type AuditOptions, checkAuditOptions } from './log.js';
import { type AuditRecord, NOTHING } from './record.js';
import type { AuditSink } from './sink.js';

const peer = { pid: 1, uid: 2, gid: 3 };

function record(objectId: number, name: string | null = null): AuditRecord {
  return { ...NOTHING, operation: 'put', result: 'ok', objectId, name, peer };
}

interface Setup {
  sink: MemorySink;
  log: AuditLog;
  told: Told;
}

function setUp(options: Omit<AuditOptions, 'sink' | 'onTrouble'> = {}): Setup {
  const sink = new MemorySink();
  const told = new Told();
  return { sink, told, log: new AuditLog({ sink, onTrouble: told.say, ...options }) };
}

function ids(sink: MemorySink): (number | null)[] {
  return sink.lines.map((line) => line.object_id);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('what comes in one turn is one write, and what comes meanwhile is the next', async () => {
  const { sink, log } = setUp();
  sink.hold();
  for (const id of upTo(100)) log.record(record(id));
  await sink.asked();
  assert.equal(sink.writes, 1);
  for (const id of upTo(50)) log.record(record(100 + id));
  sink.take();
  await sink.asked();
  sink.release();
  await log.close();
  assert.equal(sink.writes, 2);
  assert.deepEqual(ids(sink), upTo(150));
});

test('a sink that takes lines in parts gets the rest, byte by byte if need be', async () => {
  const { sink, log } = setUp();
  sink.hold();
  for (const id of upTo(3)) log.record(record(id, 'größe'));
  await sink.asked();
  while (sink.waiting > 0) sink.take(1);
  assert.deepEqual(ids(sink), upTo(3));
  await log.close();
});

test('wait: at the bound it is blocked and says so once; with room again, so; nothing is lost', async () => {
  const { sink, log, told } = setUp({ maxBufferBytes: 4_096 });
  const changes: boolean[] = [];
  const leave = log.onChange(() => changes.push(log.blocked));
  sink.hold();
  for (const id of upTo(100)) log.record(record(id));
  assert.deepEqual(changes, [true]);
  sink.release();
  await until('there is room', () => !log.blocked);
  assert.deepEqual(changes, [true, false]);
  leave();
  await log.close();
  assert.deepEqual(ids(sink), upTo(100));
  assert.deepEqual(told.messages, []);
});

test('wait: a sink that stays full for a second is told, once', async () => {
  const { sink, log, told } = setUp({ maxBufferBytes: 4_096 });
  sink.hold();
  for (const id of upTo(100)) log.record(record(id));
  assert.match(await told.message(0), /nobody takes what the audit writes; the broker serves nobody/);
  sink.release();
  await log.close();
  assert.equal(told.messages.length, 1);
});

test('drop: what does not fit is counted, and a line says so where it is missing', async () => {
  const { sink, log, told } = setUp({ whenFull: 'drop', maxBufferBytes: 4_096 });
  sink.hold();
  for (const id of upTo(100)) log.record(record(id));
  assert.equal(log.blocked, false);
  sink.release();
  await until('the line is there', () => sink.text.includes('"op":"dropped"'));
  log.record(record(1_000));
  await log.close();
  const lines = sink.lines;
  const at = lines.findIndex(({ op }) => op === 'dropped');
  const dropped = lines[at];
  assert(dropped !== undefined);
  assert.deepEqual(
    lines.slice(0, at).map((line) => line.object_id),
    upTo(at),
  );
  assert.equal(dropped.count, 100 - at);
  assert.deepEqual([dropped.operation, dropped.result, dropped.pid], ['dropped', 'error', process.pid]);
  assert.match(dropped.error ?? '', new RegExp(`^${100 - at} lines since \\d{19} were dropped`));
  assert.equal(lines[at + 1]?.object_id, 1_000);
  assert.equal(told.messages.length, 1);
  assert.match(told.messages[0] ?? '', /not taken as fast as it is written; lines are dropped/);
});

test('drop: what was dropped until the end is said at the end', async () => {
  const { sink, log } = setUp({ whenFull: 'drop', maxBufferBytes: 4_096 });
  sink.hold();
  for (const id of upTo(100)) log.record(record(id));
  const closed = log.close();
  sink.release();
  await closed;
  const last = sink.lines.at(-1);
  assert.equal(last?.op, 'dropped');
  assert.equal(last.count, 100 - (sink.lines.length - 1));
});

test('a failed write is tried again, from where it ended; the failure is told once', async () => {
  const { sink, log, told } = setUp();
  sink.hold();
  for (const id of upTo(3)) log.record(record(id));
  await sink.asked();
  sink.take(10, new Error('no room'));
  assert.equal(sink.waiting, 0, 'not at once');
  await sink.asked();
  sink.take(0, new Error('no room'));
  await sink.asked();
  sink.release();
  await log.close();
  assert.deepEqual(ids(sink), upTo(3));
  assert.equal(told.messages.length, 1);
  assert.match(
    told.messages[0] ?? '',
    /the audit can't be written: no room; the broker serves nobody once its buffer is full/,
  );
});

test('that all is well again is told when it has been so for a while', async () => {
  const { sink, log, told } = setUp();
  sink.hold();
  log.record(record(1));
  await sink.asked();
  sink.take(0, new Error('no room'));
  sink.release();
  await told.message(0);
  assert.match(await told.message(1), /the audit is written again; 0 lines were dropped/);
  await log.close();
});

test('a sink that throws, or answers twice, does no harm', async () => {
  let text = '';
  let thrown = false;
  const sink: AuditSink = {
    write(lines, done) {
      if (!thrown) {
        thrown = true;
        throw new Error('not ready');
      }
      text += Buffer.from(lines).toString();
      setImmediate(done, undefined, lines.length);
      setImmediate(done, undefined, lines.length);
    },
  };
  const log = new AuditLog({ sink, onTrouble: () => undefined });
  log.record(record(1));
  while (text === '') await sleep(10);
  log.record(record(2));
  await log.close();
  assert.deepEqual(
    readLines(text).map((line) => line.object_id),
    [1, 2],
  );
});

test('the end waits for a slow sink as long as that takes anything, and not for one that takes nothing', async () => {
  const slow = setUp();
  slow.sink.hold();
  for (const id of upTo(20)) slow.log.record(record(id));
  const closed = slow.log.close();
  // Each pause is less than the two seconds that it waits; together they are more.
  for (const bytes of [100, 100, Number.POSITIVE_INFINITY]) {
    await sleep(900);
    slow.sink.take(bytes);
  }
  await closed;
  assert.deepEqual(ids(slow.sink), upTo(20));

  const stalled = setUp();
  stalled.sink.hold();
  for (const id of upTo(20)) stalled.log.record(record(id));
  await stalled.log.close();
  assert.deepEqual(stalled.told.messages, [
    'the broker ended, and 20 lines of the audit could not be written: they are lost',
  ]);
});

test('options are checked', () => {
  const sink = new MemorySink();
  checkAuditOptions({ sink, whenFull: 'drop', maxBufferBytes: 4_096, onTrouble: () => undefined });
  const wrong: [unknown, RegExp][] = [
    [null, /options\.audit must be an object/],
    [{}, /options\.audit\.sink must have a method write/],
    [{ sink: {} }, /options\.audit\.sink/],
    [{ sink, whenFull: 'never' }, /options\.audit\.whenFull must be 'wait' or 'drop'; got "never"/],
    [{ sink, maxBufferBytes: 100 }, /options\.audit\.maxBufferBytes must be an integer from 4096/],
    [{ sink, onTrouble: 1 }, /options\.audit\.onTrouble must be a function/],
    [{ sink, wenFull: 'drop' }, /options\.audit must have only the keys/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => checkAuditOptions(options), { code: 'ERR_SEALANE_INVALID_ARGUMENT', message });
  }
});
