// Values from the command line, and what is said of those that don't fit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, count, duration, metadata, parseTarget, size, text } from './arguments.js';
import { BROKER_LIMITS } from './broker-limits.js';
import { EXIT, EXIT_CODE_TABLE, exitCodeOf } from './exit-codes.js';
import { CommandError, describeFailure, findInterruption, Interruption } from './failure.js';

const HEX = 'ab'.repeat(32);

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CommandError && error.exitCode === EXIT.usage);
    return error.message;
  }
  return 'accepted';
}

test('values are checked, and refusals name the option and the value', () => {
  assert.equal(count('--max-objects', 1)('12', undefined), 12);
  assert.equal(size('--max-bytes')('64MiB', undefined), 67_108_864);
  assert.equal(duration('--ttl')('10s', undefined), 10_000);
  assert.equal(
    refusal(() => count('--max-objects', 1)('0', undefined)),
    'invalid --max-objects: 0',
  );
  assert.equal(
    refusal(() => count('--count', 1)('1e3', undefined)),
    'invalid --count: 1e3',
  );
  assert.equal(
    refusal(() => size('--max-bytes')('lots', undefined)),
    'invalid --max-bytes: lots',
  );
  assert.equal(
    refusal(() => duration('--ttl')('10', undefined)),
    'invalid --ttl: 10',
  );
  assert.equal(
    refusal(() => text('--name')('', undefined)),
    'invalid --name: ',
  );
});

test('options that may be repeated collect their values', () => {
  const parse = collect(text('--allow-job'));
  assert.deepEqual(parse('b', parse('a', undefined)), ['a', 'b']);
});

test('what is repeated thousands of times is not copied each time', () => {
  const jobs = collect(text('--allow-job'))('a', undefined);
  assert.equal(collect(text('--allow-job'))('b', jobs), jobs);
  const pairs = metadata('--meta')('a=1', undefined);
  assert.equal(metadata('--meta')('b=2', pairs), pairs);
});

test('metadata keeps everything behind the first equals sign, and any key', () => {
  const parse = metadata('--meta');
  const both = parse('__proto__=x', parse('shape=a=b', undefined));
  assert.deepEqual(Object.entries(both), [
    ['shape', 'a=b'],
    ['__proto__', 'x'],
  ]);
  assert.deepEqual({ ...parse('empty=', undefined) }, { empty: '' });
  for (const pair of ['novalue', '=x'])
    assert.match(
      refusal(() => parse(pair, undefined)),
      /^invalid --meta/,
    );
  assert.match(
    refusal(() => parse('a=2', parse('a=1', undefined))),
    /^invalid --meta/,
  );
});

test('a target is an id, a digest or a name by its form, or by an option', () => {
  assert.deepEqual(parseTarget('42'), { id: 42 });
  assert.deepEqual(parseTarget('42', { name: true }), { name: '42' });
  assert.deepEqual(parseTarget('model.bin'), { name: 'model.bin' });
  assert.deepEqual(parseTarget(`sha256:${HEX.toUpperCase()}`), { digest: `sha256:${HEX}` });
  assert.deepEqual(parseTarget(HEX), { name: HEX });
  assert.deepEqual(parseTarget(HEX, { digest: true }), { digest: `sha256:${HEX}` });
  assert.deepEqual(parseTarget(`sha256:${HEX}`, { name: true }), { name: `sha256:${HEX}` });
});

test('a target that does not fit is refused', () => {
  assert.match(
    refusal(() => parseTarget('0')),
    /^invalid id: 0/,
  );
  assert.match(
    refusal(() => parseTarget('x', { id: true })),
    /^invalid id: x/,
  );
  assert.match(
    refusal(() => parseTarget('sha256:xy', { digest: true })),
    /^invalid digest/,
  );
  assert.match(
    refusal(() => parseTarget('')),
    /^the target is empty/,
  );
  assert.match(
    refusal(() => parseTarget('a', { id: true, name: true })),
    /exclude each other/,
  );
});

test('each limit of the broker has the option that its property suggests', () => {
  const flags = new Map(BROKER_LIMITS.map(({ name, flag }) => [name, flag]));
  assert.equal(flags.get('maxBytesPerUser'), '--max-bytes-per-user');
  assert.equal(flags.get('helloTimeoutMs'), '--hello-timeout');
  assert.equal(new Set(flags.values()).size, BROKER_LIMITS.length);
});

test('every exit code is in the table of the help', () => {
  const listed = new Set(EXIT_CODE_TABLE.map(([code]) => code));
  const missing = Object.values(EXIT).filter((code) => !listed.has(code) && code !== EXIT.terminated);
  assert.deepEqual(missing, []);
  assert.deepEqual(
    [exitCodeOf('ERR_SEALANE_NOT_FOUND'), exitCodeOf('ERR_OF_TOMORROW')],
    [EXIT.notFound, EXIT.failure],
  );
});

test('an error of the library gets its next step, once', () => {
  const noBroker = Object.assign(
    new Error('no broker at /x y; start one with `sealane broker` or Broker.start()'),
    {
      code: 'ERR_SEALANE_NO_BROKER',
    },
  );
  const failure = describeFailure(noBroker, { socket: '/x y' });
  assert.deepEqual(failure, {
    code: 'ERR_SEALANE_NO_BROKER',
    message: 'no broker at /x y',
    hint: "start one with `sealane broker --socket '/x y'`",
    exitCode: EXIT.noBroker,
  });
});

test('a socket that may not be connected to denies access, and one of another kind is told apart', () => {
  const connecting = (errnoName: string) =>
    describeFailure(
      Object.assign(new Error(`connecting to /x failed (${errnoName})`), {
        code: 'ERR_SEALANE_SYSTEM',
        errnoName,
        syscall: 'connect',
      }),
    );
  assert.equal(connecting('EACCES').exitCode, EXIT.accessDenied);
  const { exitCode, hint } = connecting('EPROTOTYPE');
  assert.equal(exitCode, EXIT.failure);
  assert.match(hint ?? '', /--socket PATH/);
});

test('an option is called as the command line calls it', () => {
  const refusal = (message: string) =>
    describeFailure(Object.assign(new Error(message), { code: 'ERR_SEALANE_INVALID_ARGUMENT' })).message;
  assert.equal(refusal('options.socket must be short'), '--socket must be short');
  assert.equal(refusal('socket must be short'), '--socket must be short');
  assert.equal(refusal('options.memfdbusSocket must be short'), '--memfdbus-socket must be short');
});

test('an interruption is found behind the error that it caused', () => {
  const interruption = new Interruption('SIGTERM');
  assert.equal(findInterruption(new Error('aborted', { cause: interruption }))?.exitCode, EXIT.terminated);
  assert.equal(findInterruption(new Error('other')), undefined);
});
