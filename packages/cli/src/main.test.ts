// The command as its users meet it: real processes against a real broker.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from 'sealane';
import { jsonText } from './terminal/escape.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'sealane-cli-test-'));
const model = join(directory, 'model.bin');
const modelBytes = randomBytes(300_000);
const HOSTILE = 'evil\n99\towner=-\x1b[2J\u202e\\';
const ESCAPED = 'evil\\n99\\towner=-\\033[2J\\u202e\\\\';

/** The environment of every command: nothing of the user's own broker, job or colours. */
const environment: NodeJS.ProcessEnv = { ...process.env, SEALANE_DIR: directory, TMPDIR: directory };
for (const name of [
  'SEALANE_SOCKET',
  'SEALANE_JOB_ID',
  'MEMFDBUS_JOB_ID',
  'NO_COLOR',
  'FORCE_COLOR',
  'NODE_OPTIONS',
  'NODE_DEBUG',
]) {
  delete environment[name];
}

interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  bytes: Buffer;
  stderr: string;
}

/** Commands that a failed test may have left running: they end with the tests. */
const started: ChildProcess[] = [];

function start(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...words], { env: environment, stdio: 'pipe' });
  started.push(child);
  return child;
}

async function finish(child: ChildProcess, input?: string | Buffer): Promise<Result> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin?.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const bytes = Buffer.concat(out);
  return { code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() };
}

function sealane(...words: string[]): Promise<Result> {
  return finish(start(...words));
}

/** What the command prints when all goes well. */
async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await sealane(...words);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, words.join(' '));
  return stdout;
}

async function json(...words: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await output(...words, '--json')) as Record<string, unknown>;
}

async function failure(expected: number, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await sealane(...words);
  assert.deepEqual({ code, stdout }, { code: expected, stdout: '' }, `${words.join(' ')}: ${stderr}`);
  return stderr;
}

/** Lines of a running command, as they come. */
function linesOf(child: ChildProcess): AsyncIterator<string> {
  assert.ok(child.stdout);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  assert.ok(!done, 'the command ended before it printed a line');
  return value;
}

async function startBroker(...words: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = start('broker', ...words);
  return { child, line: await nextLine(linesOf(child)) };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const closed = once(child, 'close');
  child.kill(signal);
  return ((await closed) as [number | null])[0];
}

let broker: ChildProcess;

before(async () => {
  writeFileSync(model, modelBytes);
  ({ child: broker } = await startBroker());
});

after(async () => {
  await stop(broker, 'SIGTERM');
  for (const child of started) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

test('the help needs no addon and lists the exit codes', () => {
  const env = { ...environment, SEALANE_ADDON: '/nonexistent/sealane.node' };
  const { status, stdout } = spawnSync(process.execPath, [MAIN, '--help'], { env, encoding: 'utf8' });
  assert.equal(status, 0);
  for (const word of ['broker', 'doctor', 'Exit codes:', '130']) assert.match(stdout, new RegExp(word));
});

test('the help of every command shows the options of all commands', async () => {
  for (const command of ['broker', 'put', 'get', 'exec', 'list', 'stat', 'drop', 'watch', 'demo', 'doctor']) {
    const help = await output(command, '--help');
    for (const option of ['--socket <path>', '--json', '--no-color'])
      assert.ok(help.includes(option), command);
  }
});

test('a broker says in one line where it serves, and stops cleanly on either signal', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const socket = join(directory, 'other.sock');
    const { child, line } = await startBroker('--socket', socket);
    assert.equal(line, socket);
    assert.equal(await stop(child, signal), 0);
    assert.ok(!existsSync(socket));
  }
});

test('a broker takes every limit, with units', async () => {
  const socket = join(directory, 'limited.sock');
  const sizes = ['--max-bytes', '64MiB', '--max-bytes-per-user', '32M', '--max-object-bytes', '1KiB'];
  const more = ['--max-name-bytes', '1KiB', '--max-message-bytes', '64KiB', '--max-list-entries', '10'];
  const counts = [
    '--max-objects',
    '20',
    '--max-objects-per-user',
    '10',
    '--max-watches',
    '3',
    '--max-watch-backlog',
    '7',
  ];
  const times = [
    '--hello-timeout',
    '2s',
    '--backlog',
    '5',
    '--max-connections',
    '9',
    '--max-connections-per-user',
    '8',
  ];
  const { child, line } = await startBroker(
    '--json',
    '--socket',
    socket,
    ...sizes,
    ...more,
    ...counts,
    ...times,
  );
  try {
    assert.deepEqual(JSON.parse(line), { event: 'serving', socket, pid: child.pid });
    await using bus = await connect({ socket });
    const { maxBytes, maxObjectBytes, maxNameBytes, maxListEntries, maxObjects, maxWatches } = bus.limits;
    assert.deepEqual([maxBytes, maxObjectBytes, maxNameBytes], [67_108_864, 1024, 1024]);
    assert.deepEqual([maxListEntries, maxObjects, maxWatches], [10, 20, 3]);
    const stderr = await failure(6, 'put', model, '--socket', socket);
    assert.match(stderr, /^sealane: .*1024.*; .*lists the limits/);
  } finally {
    await stop(child, 'SIGTERM');
  }
});

test('a second broker on the same socket refuses to start', async () => {
  assert.match(await failure(1, 'broker'), /^sealane: .*broker\.sock.*; .*--socket/);
});

test('a file is put under its base name and got unchanged', async () => {
  const id = (await output('put', model)).trim();
  assert.match(id, /^\d+$/);
  for (const target of [
    [id],
    ['model.bin'],
    [id, '--id'],
    ['model.bin', '--name'],
    ['model.bin', '-o', '-'],
  ]) {
    const { code, bytes, stderr } = await sealane('get', ...target);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.ok(bytes.equals(modelBytes));
  }
});

test('an object is found by its digest, with and without the prefix', async () => {
  await output('put', model);
  const { digest } = await json('stat', 'model.bin', '--digest');
  assert.match(String(digest), /^sha256:[0-9a-f]{64}$/);
  assert.ok((await sealane('get', String(digest))).bytes.equals(modelBytes));
  assert.ok((await sealane('get', String(digest).slice(7), '--digest')).bytes.equals(modelBytes));
});

test('get -o writes a file whole, keeps the mode of an existing one, and leaves nothing beside it', async () => {
  await output('put', model);
  const copy = join(directory, 'copy.bin');
  writeFileSync(copy, 'old');
  chmodSync(copy, 0o640);
  assert.equal((await json('get', 'model.bin', '-o', copy)).size, modelBytes.length);
  assert.ok(readFileSync(copy).equals(modelBytes));
  assert.equal(statSync(copy).mode & 0o777, 0o640);
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('.part')),
    [],
  );
  assert.equal(await output('get', 'model.bin', '-o', '/dev/null'), '');
});

test('get -o into a directory that is not there says so', async () => {
  await output('put', model);
  const stderr = await failure(1, 'get', 'model.bin', '-o', join(directory, 'none', 'x'));
  assert.match(stderr, /^sealane: can't write .*\/none\/x: no such directory; /);
});

test('with --json the description goes to standard error when the bytes go to standard output', async () => {
  await output('put', model);
  const { code, bytes, stderr } = await sealane('get', 'model.bin', '--json');
  assert.equal(code, 0);
  assert.ok(bytes.equals(modelBytes));
  assert.equal(JSON.parse(stderr).name, 'model.bin');
});

test('standard input is put without a name unless one is given', async () => {
  for (const words of [['-'], []]) {
    const { code, stdout } = await finish(start('put', ...words), 'from a pipe');
    assert.equal(code, 0);
    const info = await json('stat', stdout.trim());
    assert.deepEqual([info.size, info.name], [11, undefined]);
  }
  const { stdout } = await finish(start('put', '-', '--name', 'piped'), Buffer.alloc(3_000_000, 7));
  const info = await json('stat', 'piped');
  assert.deepEqual([info.id, info.size], [Number(stdout), 3_000_000]);
});

test('nothing on standard input is an empty object where - asks for it, and a mistake where it was not asked for', async () => {
  const asked = await finish(start('put', '-', '--name', 'nothing'), '');
  assert.deepEqual(
    [asked.code, asked.stderr],
    [0, 'sealane: nothing came on standard input; the object is empty\n'],
  );
  assert.equal((await json('stat', 'nothing')).size, 0);
  const quiet = await finish(start('put', '-', '--json'), '');
  assert.deepEqual([quiet.code, quiet.stderr, JSON.parse(quiet.stdout).size], [0, '', 0]);
  const mistake = await finish(start('put', '--name', 'mistake'), '');
  assert.deepEqual([mistake.code, mistake.stdout], [2, '']);
  assert.match(mistake.stderr, /^sealane: nothing came on standard input; give a FILE, or - to publish/);
  assert.match(await failure(3, 'stat', 'mistake'), /mistake/);
});

test('a file redirected to standard input is read from where it stands', async () => {
  const script = `{ IFS= read -r line; "$0" "$1" put - --name rest; } < "$2"`;
  const lines = join(directory, 'lines');
  writeFileSync(lines, 'first\nsecond\n');
  // The shell has read more than a line of a file only if it could not seek back; bash seeks.
  spawnSync('bash', ['-c', script, process.execPath, MAIN, lines], { env: environment });
  assert.equal(await output('get', 'rest'), 'second\n');
});

test('put passes job, allowed jobs, time to live, metadata and digest on', async () => {
  const options = ['--job-id', 'alpha', '--allow-job', 'beta', '--allow-job', 'gamma', '--ttl', '1h'];
  const facts = ['--meta', 'dtype=f32', '--meta', 'shape=[2,3]', '--content-addressed'];
  const info = await json('put', model, '--name', 'tensor', ...options, ...facts);
  assert.deepEqual(
    [info.owner, info.allowed, info.metadata],
    ['alpha', ['beta', 'gamma'], { dtype: 'f32', shape: '[2,3]' }],
  );
  assert.match(String(info.digest), /^sha256:/);
  const lifetimeMs = Date.parse(String(info.expiresAt)) - Date.parse(String(info.createdAt));
  assert.equal(lifetimeMs, 3_600_000);
  const lines = (await output('stat', 'tensor', '--job-id', 'beta')).split('\n');
  for (const line of ['owner\talpha', 'allowed\tgamma', 'meta.shape\t[2,3]'])
    assert.ok(lines.includes(line), line);
  assert.equal((await json('put', model, '--no-name')).name, undefined);
});

test('jobs that may not touch an object get exit code 4, and the next step', async () => {
  const id = (
    await output('put', model, '--name', 'private', '--job-id', 'alpha', '--allow-job', 'beta')
  ).trim();
  assert.match(await failure(4, 'drop', id, '--job-id', 'beta'), /^sealane: .*; .*--job-id/);
  assert.match(await failure(4, 'get', id, '--job-id', 'gamma'), /^sealane: .*; .*\$SEALANE_JOB_ID/);
  assert.equal(await output('drop', id, '--job-id', 'alpha'), `${id}\n`);
});

test('dropping by name prints the dropped id and uncovers the version before', async () => {
  const ids = [
    await output('put', model, '--name', 'versioned'),
    await output('put', model, '--name', 'versioned'),
  ];
  assert.equal(await output('drop', 'versioned'), ids[1]);
  assert.equal((await json('drop', 'versioned')).id, Number(ids[0]));
  assert.match(await failure(3, 'drop', 'versioned'), /^sealane: .*versioned.*; `sealane list` shows/);
});

test('a list in a pipe has one line for each object, whatever its name', async () => {
  const id = (await output('put', model, '--name', HOSTILE, '--job-id', 'a\tb', '--allow-job', 'c,d')).trim();
  const lines = (await output('list', 'evil*', '--no-digests')).split('\n');
  assert.deepEqual(lines, [`${id}\towner=a\\tb\tallowed=c\\054d\t${modelBytes.length}\t-\t${ESCAPED}`, '']);
  const described = await output('list', 'evil*', '--json', '--digests');
  const info = JSON.parse(described) as Record<string, unknown>;
  assert.deepEqual([info.id, info.name, info.owner], [Number(id), HOSTILE, 'a\tb']);
  assert.match(String(info.digest), /^sha256:/);
  assert.ok(described.includes(jsonText(HOSTILE)));
  assert.ok((await output('stat', HOSTILE)).includes(`name\t${ESCAPED}\n`));
  assert.equal(await output('drop', HOSTILE), `${id}\n`);
});

test('a message that quotes a hostile name is escaped', async () => {
  const stderr = await failure(3, 'get', 'gone\x1b[2J\n');
  assert.equal(stderr.split('\n').length, 2);
  assert.ok(!stderr.includes('\x1b'));
});

test('a list of nothing is empty', async () => {
  assert.equal(await output('list', 'no such name*'), '');
  assert.equal(await output('list', 'no such name*', '--json'), '');
});

test('watch prints what is there and what comes, and ends at --count', async () => {
  const first = (await output('put', model, '--name', 'camera/1')).trim();
  const child = start('watch', 'camera/*', '--count', '2');
  const closed = once(child, 'close');
  const lines = linesOf(child);
  assert.ok((await nextLine(lines)).startsWith(`${first}\towner=-\t`));
  const second = (await output('put', model, '--name', 'camera/2')).trim();
  assert.equal((await nextLine(lines)).split('\t').at(-1), 'camera/2');
  assert.equal((await closed)[0], 0);
  const described = await output('watch', 'camera/2', '--literal', '--every', '--count', '1', '--json');
  assert.equal(JSON.parse(described).id, Number(second));
});

test('watch --no-existing leaves out what is there, and SIGINT ends it with 130', async () => {
  await output('put', model, '--name', 'audio/1');
  const child = start('watch', 'audio/*', '--no-existing', '--every', '--json');
  const lines = linesOf(child);
  // The watch has begun at some moment: versions are put until the first of them is seen.
  let seen: string | undefined;
  const line = nextLine(lines).then((text) => {
    seen = text;
  });
  while (seen === undefined) {
    await output('put', model, '--name', 'audio/2');
    await Promise.race([line, new Promise((resolve) => setImmediate(resolve))]);
  }
  assert.equal(JSON.parse(seen).name, 'audio/2');
  assert.equal(await stop(child, 'SIGINT'), 130);
});

test('get --wait waits for the name, and gives up after --timeout', async () => {
  const waiting = sealane('get', 'later', '--wait', '--timeout', '1h');
  await output('put', model, '--name', 'later');
  assert.ok((await waiting).bytes.equals(modelBytes));
  assert.match(
    await failure(8, 'get', 'never', '--wait', '--timeout', '50ms'),
    /^sealane: no object named never appeared/,
  );
  assert.match(await failure(2, 'get', 'never', '--timeout', '1s'), /--wait/);
  assert.match(await failure(2, 'get', '12', '--wait'), /--name/);
});

test('SIGTERM ends a put that waits for its input', async () => {
  const { connections } = await brokerStatus();
  const child = start('put', '-');
  // It holds a connection only after it has begun to listen to signals.
  while ((await brokerStatus()).connections <= connections) assert.equal(child.exitCode, null);
  assert.equal(await stop(child, 'SIGTERM'), 143);
});

test('SIGUSR1 opens no debugger in a broker', async () => {
  const socket = join(directory, 'signalled.sock');
  const { child } = await startBroker('--socket', socket);
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  child.kill('SIGUSR1');
  for (let round = 0; round < 3; round++) await output('list', '--socket', socket);
  assert.equal(await stop(child, 'SIGTERM'), 0);
  assert.equal(stderr, '');
});

test('SIGTERM ends a get into a pipe that nobody reads on', async () => {
  const pipe = join(directory, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  await output('put', model, '--name', 'piped');
  const child = start('get', 'piped', '-o', pipe);
  const reader = await open(pipe, 'r');
  assert.equal((await reader.read(Buffer.alloc(1), 0, 1)).bytesRead, 1);
  // It writes, and waits for us to read the rest.
  await stop(child, 'SIGTERM');
  assert.equal(child.signalCode, 'SIGTERM');
  await reader.close();
});

async function brokerStatus(): Promise<{ connections: number }> {
  await using bus = await connect({ socket: join(directory, 'broker.sock') });
  return await bus.status();
}

test('without a broker the message says how to start one', async () => {
  const socket = join(directory, 'no broker.sock');
  const stderr = await failure(5, 'list', '--socket', socket);
  assert.equal(
    stderr,
    `sealane: no broker at ${socket}; start one with \`sealane broker --socket '${socket}'\`\n`,
  );
});

test('with --json errors are one JSON object on standard error', async () => {
  const { error } = JSON.parse(await failure(5, 'list', '--json', '--socket', join(directory, 'none.sock')));
  assert.deepEqual([error.code, error.exitCode], ['ERR_SEALANE_NO_BROKER', 5]);
  assert.match(error.hint, /^start one with/);
  const usage = JSON.parse(await failure(2, 'put', '--frobnicate', '--json'));
  assert.deepEqual(usage.error, {
    code: 'ERR_SEALANE_CLI_USAGE',
    message: "unknown option '--frobnicate'",
    hint: 'see `sealane put --help`',
    exitCode: 2,
  });
});

test('a digest that differs is bad data', async () => {
  const stderr = await failure(7, 'put', model, '--digest', `sha256:${'00'.repeat(32)}`);
  assert.match(stderr, /^sealane: .*digest.*; /);
});

test('wrong usage is exit code 2 and names the option', async () => {
  assert.match(await failure(2, 'frobnicate'), /unknown command 'frobnicate'; see `sealane --help`/);
  assert.match(await failure(2, 'get'), /missing required argument 'target'; see `sealane get --help`/);
  assert.match(await failure(2, 'put', model, '--ttl', '10'), /^sealane: invalid --ttl: 10; it takes a time/);
  assert.match(await failure(2, 'put', model, '--ttl', '30d'), /^sealane: invalid --ttl: 30d; .*24 days/);
  assert.match(
    await failure(2, 'get', 'none', '--wait', '--timeout', '25d'),
    /^sealane: invalid --timeout: /,
  );
  assert.match(
    await failure(2, 'exec', model, 'sh', '-c', 'true'),
    /'-c'; .* `sealane exec TARGET -- COMMAND/,
  );
  assert.match(await failure(2, 'stat', 'get', '--none'), /see `sealane stat --help`/);
  assert.match(
    await failure(2, 'broker', '--user', 'no-such-user'),
    /^sealane: there is no user no-such-user/,
  );
  assert.match(await failure(2, 'broker', '--max-objects', '0'), /^sealane: invalid --max-objects: 0; /);
  assert.match(
    await failure(2, 'put', model, '--allow-job', 'b'),
    /^sealane: --allow-job needs .*; add --job-id/,
  );
  assert.match(await failure(2, 'put', model, '--digest', 'x'), /^sealane: invalid --digest: x; /);
  assert.match(await failure(2, 'get', 'x', '--id', '--name'), /exclude each other/);
  assert.equal((await sealane()).code, 2);
});

test('files that can not be put are named', async () => {
  assert.match(
    await failure(1, 'put', join(directory, 'none')),
    /^sealane: can't read .*\/none: no such file; /,
  );
  assert.match(await failure(1, 'put', directory), /is a directory; pack it first/);
});

test('a reader that goes away ends the command quietly', async () => {
  for (let i = 0; i < 3; i++) await output('put', model, '--name', `wide/${i}/${'x'.repeat(60_000)}`);
  const script = `"$0" "$1" list 'wide/*' | head -c 10; echo " \${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, MAIN], {
    env: environment,
    encoding: 'utf8',
  });
  assert.deepEqual([stdout.slice(-3), stderr], [' 0\n', '']);
});

test('doctor tells what the machine supports and whether a broker answers', async () => {
  const lines = (await output('doctor'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  assert.ok(lines.every((fields) => fields.length === 5));
  const states = new Map(lines.map(([state, id]) => [id, state]));
  for (const id of ['node', 'system', 'addon', 'seals', 'directory', 'broker'])
    assert.equal(states.get(id), 'ok', id);
  const lonely = await json('doctor', '--socket', join(directory, 'none.sock'));
  const findings = lonely.findings as { id: string; state: string; remedy?: string }[];
  const found = findings.find(({ id }) => id === 'broker');
  assert.deepEqual([lonely.healthy, found?.state], [true, 'missing']);
  assert.match(found?.remedy ?? '', /start one with `sealane broker --socket/);
});

test('doctor fails when something essential is missing', () => {
  const env = { ...environment, SEALANE_ADDON: '/nonexistent/sealane.node' };
  const { status, stdout } = spawnSync(process.execPath, [MAIN, 'doctor', '--json'], {
    env,
    encoding: 'utf8',
  });
  const { healthy, findings } = JSON.parse(stdout);
  assert.deepEqual([status, healthy], [1, false]);
  assert.equal(findings.find(({ id }: { id: string }) => id === 'addon').state, 'missing');
});

test('a full disk under standard output is a failure that says so', () => {
  const words = [process.execPath, MAIN];
  const { status, stderr } = spawnSync('bash', ['-c', '"$0" "$1" list > /dev/full', ...words], {
    env: environment,
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /^sealane: can't write to standard output: .*ENOSPC/);
});

const hasScript = spawnSync('script', ['--version']).status === 0;
const skip = hasScript ? false : 'the program script (util-linux), which makes a terminal, is missing';

/** What a command prints on a terminal. */
function onTerminal(
  words: string[],
  extra: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string } {
  const command = [process.execPath, MAIN, ...words].map((word) => `'${word}'`).join(' ');
  const env = { ...environment, TERM: 'xterm', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...extra };
  return spawnSync('script', ['-qec', command, '/dev/null'], { env, encoding: 'utf8', input: '' });
}

test('a terminal gets a table with colour unless it is not wanted', { skip }, async () => {
  await output('put', model, '--name', 'shown');
  const plain = onTerminal(['list', 'shown', '--no-color']).stdout;
  assert.match(plain, /^ *ID +SIZE +AGE +NAME\r?\n *\d+ +293 KiB +\d+s +shown\r?\n$/);
  assert.ok(onTerminal(['list', 'shown']).stdout.includes('\x1b['));
  assert.ok(!onTerminal(['list', 'shown'], { NO_COLOR: '1' }).stdout.includes('\x1b['));
});

test('a terminal is spared binary data, escape sequences included', { skip }, async () => {
  await output('put', model, '--name', 'binary');
  const { status, stdout } = onTerminal(['get', 'binary']);
  assert.equal(status, 1);
  assert.match(stdout, /binary is not plain text; write it to a file with -o FILE/);
  await finish(start('put', '-', '--name', 'escape'), 'text\x1b[2J');
  assert.equal(onTerminal(['get', 'escape']).status, 1);
  await finish(start('put', '-', '--name', 'text'), 'plain text\n');
  assert.match(onTerminal(['get', 'text']).stdout, /^plain text\r?\n$/);
});
