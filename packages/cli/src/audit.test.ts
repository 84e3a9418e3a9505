// The audit of the command, as an operator meets it: signals, pipes, rotation, and the worst end.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Bus, connect } from 'sealane';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

interface Line {
  op: string;
  result: string;
  name: string | null;
  count: number | null;
  job_id: string | null;
  pid: number;
}

/** Fails unless every line is whole. */
function readLines(text: string): Line[] {
  assert(text === '' || text.endsWith('\n'), `the last line is torn: ${text.slice(-100)}`);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

/** Text that a stream brought so far, and a way to wait for some of it. */
class Collected {
  text = '';
  #changed: () => void = () => undefined;

  constructor(stream: NodeJS.ReadableStream) {
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => {
      this.text += part;
      this.#changed();
    });
    stream.on('end', () => this.#changed());
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

interface Started {
  child: ChildProcess;
  socket: string;
  place: string;
  stderr: Collected;
  /** Its standard output, unless the test gave it one. */
  stdout: Collected | undefined;
  connect(): Promise<Bus>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `sealane broker` with these options, in a directory that goes with the test. Resolves when it serves. */
async function startBroker(
  t: TestContext,
  words: string[],
  { place = directory(t), stdout = 'pipe' }: { place?: string; stdout?: 'pipe' | number } = {},
): Promise<Started> {
  const socket = join(place, 'broker.sock');
  const child = spawn(process.execPath, [MAIN, 'broker', '--socket', socket, ...words], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  const buses: Bus[] = [];
  t.after(async () => {
    for (const bus of buses) await bus.close();
    child.kill('SIGKILL');
  });
  assert(child.stderr !== null);
  const collected = {
    stderr: new Collected(child.stderr),
    stdout: child.stdout === null ? undefined : new Collected(child.stdout),
  };
  const onStandardOutput = words.includes('-') ? collected.stderr : collected.stdout;
  await (onStandardOutput ?? collected.stderr).until(/broker\.sock.*\n/);
  return {
    child,
    socket,
    place,
    ...collected,
    connect: async () => {
      const bus = await connect({ socket });
      buses.push(bus);
      return bus;
    },
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const closed = once(child, 'close');
      child.kill(signal);
      return ((await closed) as [number | null])[0];
    },
  };
}

function directory(t: TestContext): string {
  const place = mkdtempSync(join(tmpdir(), 'sealane-audit-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

/** Asks for what is not there: a line as long as the name. */
async function ask(bus: Bus, name: string): Promise<void> {
  await assert.rejects(bus.get(name), { code: 'ERR_SEALANE_NOT_FOUND' });
}

function refused(...words: string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'broker', ...words], { encoding: 'utf8' });
  return { status, stderr };
}

test('--audit FILE gets a line for each operation; standard output keeps its line', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  const broker = await startBroker(t, ['--audit', path], { place });
  const model = join(place, 'model.bin');
  writeFileSync(model, 'weights');
  const sealane = (...words: string[]): number | null =>
    spawnSync(process.execPath, [MAIN, ...words, '--socket', broker.socket, '--job-id', 'beta']).status;
  assert.equal(sealane('put', model), 0);
  assert.equal(sealane('get', 'model.bin', '-o', join(place, 'copy')), 0);
  assert.equal(sealane('get', 'other', '-o', join(place, 'copy')), 3);
  assert.equal(sealane('drop', 'model.bin'), 0);
  assert.equal(await broker.stop(), 0);
  assert.equal(broker.stdout?.text, `${broker.socket}\n`);
  assert.deepEqual(
    readLines(readFileSync(path, 'utf8')).map(({ op, result, name, job_id }) => [op, result, name, job_id]),
    [
      ['put', 'ok', 'model.bin', 'beta'],
      ['get', 'ok', 'model.bin', 'beta'],
      ['get', 'not_found', 'other', 'beta'],
      ['drop', 'ok', 'model.bin', 'beta'],
    ],
  );
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('--audit - has standard output to itself, also with --json', async (t) => {
  for (const words of [[], ['--json']]) {
    const broker = await startBroker(t, ['--audit', '-', ...words]);
    const bus = await broker.connect();
    for (const name of ['a', 'b', 'c']) await ask(bus, name);
    assert.equal(await broker.stop(), 0);
    assert.deepEqual(
      readLines(broker.stdout?.text ?? '').map(({ name, pid }) => [name, pid]),
      [
        ['a', process.pid],
        ['b', process.pid],
        ['c', process.pid],
      ],
    );
    assert.equal(broker.stderr.text.split('\n').length, 2);
  }
});

test('an audit that can not be had is refused with what to do', (t) => {
  const place = directory(t);
  const socket = join(place, 'broker.sock');
  writeFileSync(join(place, 'real'), '');
  symlinkSync('real', join(place, 'link'));
  spawnSync('mkfifo', [join(place, 'pipe')]);
  const cases: [string, number, RegExp][] = [
    [join(place, 'link'), 1, /ELOOP.*; name the file itself, not a symbolic link/],
    [join(place, 'pipe'), 1, /ENXIO.*; start the reader of the named pipe first/],
    [join(place, 'none', 'file'), 1, /ENOENT.*; check the path/],
    [place, 1, /EISDIR/],
  ];
  for (const [path, code, message] of cases) {
    const { status, stderr } = refused('--socket', socket, '--audit', path);
    assert.match(stderr, message);
    assert.equal(status, code);
  }
  assert.match(
    refused('--audit-when-full', 'drop').stderr,
    /^sealane: .*; say where it goes with --audit FILE/,
  );
  assert.match(
    refused('--audit', '-', '--audit-when-full', 'never').stderr,
    /Allowed choices are wait, drop/,
  );
});

test('ten thousand operations through fifty rotations: no line lost, torn or doubled', async (t) => {
  const place = directory(t);
  const logs = join(place, 'logs');
  mkdirSync(logs);
  const path = join(logs, 'audit.log');
  const broker = await startBroker(t, ['--audit', path], { place });
  const buses = await Promise.all(Array.from({ length: 4 }, () => broker.connect()));
  let left = buses.length;
  const work = buses.map(async (bus, client) => {
    for (let round = 0; round < 250; round++)
      await Promise.all(Array.from({ length: 10 }, (_, index) => ask(bus, `${client}/${round}/${index}`)));
    left--;
  });
  let rotations = 0;
  while (rotations < 50) {
    renameSync(path, join(logs, `old.${rotations++}`));
    broker.child.kill('SIGHUP');
    while (!readdirSync(logs).includes('audit.log')) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert(left > 0, 'the rotations took place during the work');
  await Promise.all(work);
  assert.equal(await broker.stop(), 0);
  const names = readdirSync(logs).flatMap((name) =>
    readLines(readFileSync(join(logs, name), 'utf8')).map((line) => line.name),
  );
  assert.equal(names.length, 10_000);
  assert.equal(new Set(names).size, 10_000);
  assert.equal(readdirSync(logs).length, 51);
});

test('after SIGHUP a file that can not be opened is told, and the old one goes on', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  const broker = await startBroker(t, ['--audit', path], { place });
  const bus = await broker.connect();
  renameSync(path, join(place, 'old'));
  mkdirSync(path);
  broker.child.kill('SIGHUP');
  await broker.stderr.until(/EISDIR.*; the audit goes on in the file that was open/);
  await ask(bus, 'still');
  assert.equal(await broker.stop(), 0);
  assert.deepEqual(
    readLines(readFileSync(join(place, 'old'), 'utf8')).map(({ name }) => name),
    ['still'],
  );
});

/** A pipe as standard output, and a process that copies it to a file and can be stopped. */
function startReader(t: TestContext, place: string): { fd: number; reader: ChildProcess; copy: string } {
  const pipe = join(place, 'pipe');
  const copy = join(place, 'copy');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const out = openSync(copy, 'w');
  // Opened for both, so that neither end waits for the other.
  const fd = openSync(pipe, constants.O_RDWR);
  const input = openSync(pipe, constants.O_RDONLY);
  const reader = spawn('cat', [], { stdio: [input, out, 'ignore'] });
  t.after(() => reader.kill('SIGKILL'));
  closeSync(out);
  closeSync(input);
  return { fd, reader, copy };
}

const LONG = 'x'.repeat(30_000);

test('wait: while the reader of the pipe is stopped nobody is served; then everything goes on and is there', async (t) => {
  const place = directory(t);
  const { fd, reader, copy } = startReader(t, place);
  const broker = await startBroker(t, ['--audit', '-'], { place, stdout: fd });
  closeSync(fd);
  reader.kill('SIGSTOP');
  const bus = await broker.connect();
  let answered = 0;
  // Three times what the buffer holds.
  const all = Array.from({ length: 800 }, (_, index) => ask(bus, `${LONG}${index}`).then(() => answered++));
  await broker.stderr.until(/nobody takes what the audit writes; the broker serves nobody/);
  assert(answered < 400, `${answered} were answered`);
  reader.kill('SIGCONT');
  await Promise.all(all);
  const ended = once(reader, 'close');
  assert.equal(await broker.stop(), 0);
  await ended;
  const names = readLines(readFileSync(copy, 'utf8')).map(({ name }) => name);
  assert.equal(new Set(names).size, 800);
  assert.equal(names.length, 800);
});

test('drop: while the reader of the pipe is stopped everybody is served; then a line says what is missing', async (t) => {
  const place = directory(t);
  const { fd, reader, copy } = startReader(t, place);
  const broker = await startBroker(t, ['--audit', '-', '--audit-when-full', 'drop'], { place, stdout: fd });
  closeSync(fd);
  reader.kill('SIGSTOP');
  const bus = await broker.connect();
  for (let index = 0; index < 800; index++) await ask(bus, `${LONG}${index}`);
  assert.match(broker.stderr.text, /not taken as fast as it is written; lines are dropped/);
  reader.kill('SIGCONT');
  const ended = once(reader, 'close');
  assert.equal(await broker.stop(), 0);
  await ended;
  const lines = readLines(readFileSync(copy, 'utf8'));
  const dropped = lines
    .filter(({ op }) => op === 'dropped')
    .reduce((sum, { count }) => sum + (count ?? 0), 0);
  assert(dropped > 100);
  assert.equal(lines.filter(({ op }) => op === 'get').length + dropped, 800);
});

test('a reader that is stopped does not keep the command from ending', async (t) => {
  for (const policy of ['wait', 'drop']) {
    const place = directory(t);
    const { fd, reader } = startReader(t, place);
    const broker = await startBroker(t, ['--audit', '-', '--audit-when-full', policy], { place, stdout: fd });
    closeSync(fd);
    reader.kill('SIGSTOP');
    const bus = await broker.connect();
    for (let index = 0; index < 10; index++) await ask(bus, `${LONG}${index}`);
    assert.equal(await broker.stop(), 0);
    assert.match(broker.stderr.text, /\d+ lines of the audit could not be written: they are lost/);
  }
});

/** Asks for what is not there until there is no broker. */
async function askUntilLost(bus: Bus): Promise<void> {
  for (;;) {
    try {
      await bus.get('none');
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SEALANE_NOT_FOUND') return;
    }
  }
}

test('a broker that is killed leaves whole lines, and the next one goes on behind them', async (t) => {
  const place = directory(t);
  const path = join(place, 'audit.log');
  for (let round = 0; round < 5; round++) {
    const broker = await startBroker(t, ['--audit', path], { place });
    const bus = await broker.connect();
    const work = Array.from({ length: 20 }, () => askUntilLost(bus));
    const before = statSync(path).size;
    while (statSync(path).size < before + 200_000) await new Promise((resolve) => setTimeout(resolve, 5));
    await broker.stop('SIGKILL');
    await Promise.all(work);
  }
  // What the kernel was copying at the moment of the kill is the one thing that may be cut; the next broker ended it.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const torn = lines.filter((line) => !line.endsWith('}'));
  assert(torn.length <= 4, `${torn.length} torn lines`);
  for (const line of lines.filter((each) => each.endsWith('}')))
    assert.equal((JSON.parse(line) as Line).op, 'get');
});
