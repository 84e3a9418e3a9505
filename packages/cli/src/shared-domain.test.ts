// Domains of several users from the command line: made, looked at, and taken part in by processes of other users.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { MAIN } from './command.test.helper.js';
import { type Person, whyNoOthers } from './policy/policy.test.helper.js';

const ALICE: Person = { uid: 800_000 + process.pid };
const BOB: Person = { uid: 5_000_000 + process.pid, groups: [15_000_000 + process.pid] };
const MALLORY: Person = { uid: 10_000_000 + process.pid };

const ENVIRONMENT: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', NO_COLOR: '1' };

function lineOf(words: readonly string[], as?: Person): [program: string, words: string[]] {
  const all = [process.execPath, MAIN, ...words];
  if (as === undefined) return [process.execPath, all.slice(1)];
  const groups = as.groups === undefined ? '--clear-groups' : `--groups=${as.groups.join(',')}`;
  return ['setpriv', [`--reuid=${as.uid}`, `--regid=${as.uid}`, groups, ...all]];
}

async function run(words: readonly string[], as?: Person, env: NodeJS.ProcessEnv = {}) {
  const [program, all] = lineOf(words, as);
  const child = spawn(program, all, {
    env: { ...ENVIRONMENT, ...env },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[status], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { status, stdout, stderr };
}

/** A command that goes on until the test ends. */
function start(t: TestContext, words: readonly string[], as?: Person): ChildProcess {
  const [program, all] = lineOf(words, as);
  const child = spawn(program, all, { env: ENVIRONMENT, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** A directory that everybody may enter. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  chmodSync(path, 0o755);
  return path;
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

test('domain create makes a shared domain, again as well, and says why it does not', async (t) => {
  const top = folder(t);
  const path = join(top, 'bus');
  const group = String(process.getegid?.());
  for (let again = 0; again < 2; again++) {
    const { status, stdout, stderr } = await run(['domain', 'create', path]);
    const made = `${path} is a shared domain for everybody on this machine: use it with SEALANE_SHARED_DIR=${path}, or with --shared\n`;
    assert.deepEqual([status, stdout, modeOf(path)], [0, made, '1777']);
    assert.equal(stderr === '', process.geteuid?.() === 0, stderr);
  }
  const told = await run(['domain', 'create', join(top, 'group'), '--group', group, '--json']);
  assert.deepEqual(JSON.parse(told.stdout), { directory: join(top, 'group'), group });
  assert.equal(modeOf(join(top, 'group')), '3770');
  writeFileSync(join(top, 'file'), '');
  const cases: readonly [words: string[], status: number, message: RegExp][] = [
    [[path, '--group', group], 4, /^sealane: \S+bus is a shared domain for everybody, not for group/],
    [[top], 4, /has something else in it/],
    [
      [join(top, 'x'), '--group', 'no-such-group-here'],
      2,
      /^sealane: --group must be the name or id of a group/,
    ],
    [[join(top, 'file')], 4, /file is no directory: name another/],
    [[join(top, 'file', 'x')], 1, /ENOTDIR/],
    [[], 2, /missing required argument/],
  ];
  for (const [words, status, message] of cases) {
    const result = await run(['domain', 'create', ...words]);
    assert.deepEqual([result.status, message.test(result.stderr)], [status, true], result.stderr);
  }
});

test('nodes and services of a shared domain are listed by name of the directory or by the environment', async (t) => {
  const path = join(folder(t), 'bus');
  assert.equal((await run(['domain', 'create', path])).status, 0);
  const publisher = start(t, [
    'service',
    'publish',
    'x',
    '--shared',
    path,
    '--latest',
    '--stay',
    '--allow-user',
    '4711',
  ]);
  publisher.stdin?.end('hello');
  const got = await run(['service', 'subscribe', 'x', '--wait', '--shared', path, '--raw', '--count', '1']);
  assert.deepEqual([got.status, got.stdout], [0, 'hello']);
  for (const [words, env] of [
    [['--shared', path], {}],
    [[], { SEALANE_SHARED_DIR: path }],
  ] as const) {
    const nodes = (await run(['node', 'list', ...words], undefined, env)).stdout.trim().split('\n');
    assert.deepEqual(
      nodes.map((line) => line.split('\t').slice(4)),
      [[`user=${process.geteuid?.()}`, 'sealane service publish']],
    );
    const [service] = (await run(['service', 'list', '--json', ...words], undefined, env)).stdout
      .trim()
      .split('\n');
    const { name, creator, access } = JSON.parse(service ?? '{}');
    assert.deepEqual([name, creator, access], ['x', process.geteuid?.(), { users: [4_711], groups: [] }]);
    const facts = (await run(['service', 'inspect', 'x', ...words], undefined, env)).stdout;
    assert.match(facts, /^creator\t\d+\naccess\tusers=4711 groups=-$/m);
  }
  for (const words of [
    ['--domain', 'x'],
    ['--directory', path],
  ])
    assert.match(
      (await run(['node', 'list', '--shared', path, ...words])).stderr,
      /'--shared <directory>' cannot be used with/,
    );
  const missing = await run(['node', 'list', '--shared', join(path, 'nodes')]);
  assert.deepEqual([missing.status, /sealane domain create/.test(missing.stderr)], [4, true], missing.stderr);
});

test('users publish to each other, and those who are not let in are told', {
  skip: whyNoOthers(),
}, async (t) => {
  const path = join(folder(t), 'bus');
  assert.equal((await run(['domain', 'create', path])).status, 0);
  const [group = 0] = BOB.groups ?? [];
  const words = ['--shared', path, '--latest', '--stay', '--allow-group', String(group)];
  const publisher = start(t, ['service', 'publish', 'x', ...words], ALICE);
  publisher.stdin?.end('for the group');
  const subscribe = ['service', 'subscribe', 'x', '--wait', '--shared', path, '--raw', '--count', '1'];
  const got = await run(subscribe, BOB);
  assert.deepEqual([got.status, got.stdout], [0, 'for the group']);
  const refused = await run(subscribe, MALLORY);
  assert.equal(refused.status, 4);
  assert.match(
    refused.stderr,
    new RegExp(`user ${ALICE.uid} has a service "x", and user ${MALLORY.uid} may not take part`),
  );
  const ended = once(publisher, 'exit');
  publisher.kill('SIGTERM');
  await ended;
  assert.equal((await run(['service', 'list', '--shared', path], BOB)).stdout, '');
});

test('services of one name are told apart by their users, and commands say whose is meant', {
  skip: whyNoOthers(),
}, async (t) => {
  const path = join(folder(t), 'bus');
  assert.equal((await run(['domain', 'create', path])).status, 0);
  const subscribe = ['service', 'subscribe', 'x', '--wait', '--shared', path, '--raw', '--count', '1'];
  for (const person of [ALICE, BOB]) {
    // Each states whom it lets in, so that the service of the other does not count for it.
    const words = ['--shared', path, '--latest', '--stay', '--allow-user', String(MALLORY.uid)];
    start(t, ['service', 'publish', 'x', ...words], person).stdin?.end(`of ${person.uid}`);
    const got = await run([...subscribe, '--allow-user', String(person.uid)], MALLORY);
    assert.deepEqual([got.status, got.stdout], [0, `of ${person.uid}`], got.stderr);
  }
  const listed = (await run(['service', 'list', '--shared', path])).stdout.trimEnd().split('\n');
  assert.deepEqual(
    listed.map((line) => line.split('\t').slice(-2).join(' ')).sort(),
    [ALICE, BOB].map(({ uid }) => `user=${uid} x`).sort(),
  );
  const either = await run(subscribe, MALLORY);
  assert.equal(either.status, 4);
  assert.match(either.stderr, /have each a service "x"; .*--allow-user USER says whose is meant/);
  const inspect = ['service', 'inspect', 'x', '--shared', path];
  const both = await run(inspect);
  assert.equal(both.status, 2);
  assert.match(both.stderr, /^sealane: the users \d+, \d+ have each a service x; say with --allow-user/);
  const one = await run([...inspect, '--allow-user', String(BOB.uid)]);
  assert.match(one.stdout, new RegExp(`^creator\t${BOB.uid}$`, 'm'));
  assert.equal((await run([...inspect, '--allow-user', String(MALLORY.uid)])).status, 3);
});

test('who is not root is told that nobody else can use the domain', { skip: whyNoOthers() }, async (t) => {
  const top = folder(t);
  chmodSync(top, 0o777);
  const { status, stderr } = await run(['domain', 'create', join(top, 'bus')], ALICE);
  assert.equal(status, 0, stderr);
  assert.match(stderr, new RegExp(`bus belongs to user ${ALICE.uid}, and only nodes of this user use it`));
});

test('top shows nothing in the place of what the nodes of other users do not tell', {
  skip: whyNoOthers(),
}, async (t) => {
  const path = join(folder(t), 'bus');
  assert.equal((await run(['domain', 'create', path])).status, 0);
  start(t, ['service', 'publish', 'x', '--shared', path, '--latest', '--stay'], ALICE).stdin?.end('hello');
  const subscribe = ['service', 'subscribe', 'x', '--wait', '--shared', path, '--raw', '--count', '1'];
  assert.equal((await run(subscribe, BOB)).stdout, 'hello');
  const top = ['top', '--shared', path, '--interval', '100ms', '--count', '2'];
  const { stdout, stderr } = await run(top, BOB);
  const line =
    'publishers=1\tsubscribers=0\tsent_per_second=-\treceived_per_second=0.0\tp50_us=-\tp99_us=-\tfill=-\t' +
    'lost_per_second=-\tlost=-\tborrowed=0\tleaked=-\tx\n';
  assert.equal(stdout, line + line);
  assert.match(stderr, /^sealane: node [0-9a-f]{16} tells no figures: .*\n$/);
  const [look] = (await run([...top, '--json'], BOB)).stdout.split('\n');
  const [service] = JSON.parse(look ?? '').services;
  assert.deepEqual([service.sentPerSecond, service.lost, service.receivedPerSecond], [null, null, 0]);
});
