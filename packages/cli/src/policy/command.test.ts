// `sealane policy check`, and `sealane broker --policy` among users: real processes, real signals.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'sealane';
import {
  finish,
  folderOf,
  type Person,
  sealane,
  start,
  startBroker,
  whyNoOthers,
} from './policy.test.helper.js';

const OTHERS = { skip: whyNoOthers() };

/** Ids of this run's own, so that nothing else on the machine counts against them. */
const ALICE: Person = { uid: 400_000 + process.pid };
const BOB: Person = { uid: ALICE.uid + 1 };
const VIDEO = 600_000 + process.pid;

const CAMERA = `
[[admit]]
users = [${ALICE.uid}]
[[admit]]
groups = [${VIDEO}]

[[job]]
ids = ["camera"]
users = [${ALICE.uid}]

[[grant]]
jobs = ["camera"]
names = ["camera/*"]
may = ["put"]
[[grant]]
groups = [${VIDEO}]
names = ["camera/*"]
may = ["get", "list"]

[[quota]]
jobs = ["camera"]
objects = 2
bytes = "1MiB"
`;

test('a check says that a file is right, and what a caller may do because of which entry', async (t) => {
  const file = join(folderOf(t), 'policy.toml');
  writeFileSync(file, CAMERA);
  const check = async (...words: string[]) => {
    const { code, stdout, stderr } = await sealane(t, ['policy', 'check', file, ...words]);
    assert.equal(stderr, '');
    const lines = stdout.split('\n').slice(0, -1);
    const verdict = lines.findIndex((line) => line.startsWith(`${file}: right`));
    return { code, facts: lines.slice(verdict + 1).map((line) => line.split('\t')) };
  };
  assert.deepEqual(await check(), { code: 0, facts: [] });
  const camera = await check('--as', String(ALICE.uid), '--job', 'camera', '--name', 'camera/front');
  assert.equal(camera.code, 0);
  assert.deepEqual(camera.facts.slice(1), [
    ['connect', 'yes', 'admit[0] (line 2)'],
    ['act as job camera', 'yes', 'job[0] (line 7)'],
    ['put camera/front', 'yes', 'grant[0] (line 11)'],
    ['get camera/front', 'no', 'no [[grant]] says so'],
    ['list camera/front', 'no', 'no [[grant]] says so'],
    ['drop camera/front', 'no', 'no [[grant]] says so'],
    ['own objects', 'get, list, drop', `what job camera owns, and what user ${ALICE.uid} put for no job`],
    ['quota of job camera', '2 objects, 1.00 MiB', 'quota[0] (line 20)'],
  ]);
  const viewer = await check('--as', `${BOB.uid}:${VIDEO}`);
  assert.deepEqual(viewer.facts.slice(1, 5), [
    ['connect', 'yes', 'admit[1] (line 4)'],
    ['put', 'no', 'no [[grant]] says so'],
    ['get', 'camera/*', 'grant[1] (line 15)'],
    ['list', 'camera/*', 'grant[1] (line 15)'],
  ]);
  const stranger = await check('--as', String(BOB.uid));
  assert.deepEqual(stranger, {
    code: 4,
    facts: [
      ['caller', `user ${BOB.uid}; no groups; no job`, ''],
      ['connect', 'no', 'no [[admit]] fits; only the user of the broker needs none'],
    ],
  });
  const forger = await check('--as', `${BOB.uid}:${VIDEO}`, '--job', 'camera');
  assert.equal(forger.code, 4);
  assert.deepEqual(forger.facts[2], ['act as job camera', 'no', 'no [[job]] binds it to this caller']);
});

test('a caller without stated groups has those that its user has on this machine', async (t) => {
  const file = join(folderOf(t), 'policy.toml');
  writeFileSync(file, `[[admit]]\ngroups = [0]\n`);
  const { stdout, code } = await sealane(t, ['policy', 'check', file, '--as', 'root', '--json']);
  assert.equal(code, 0);
  const { right, connects, caller, explanation } = JSON.parse(stdout) as {
    right: boolean;
    connects: boolean;
    caller: { uid: number; user: string };
    explanation: { admit: number };
  };
  assert.deepEqual([right, connects, explanation.admit], [true, true, 0]);
  assert.deepEqual([caller.uid, caller.user], [0, 'root']);
});

test('a check of a file that is wrong says where, and fails', async (t) => {
  const file = join(folderOf(t), 'policy.toml');
  writeFileSync(file, '[[job]]\nuser = 1\n');
  const text = await sealane(t, ['policy', 'check', file]);
  assert.deepEqual(text, {
    code: 7,
    stderr: '',
    stdout:
      `${file}:1:1: error: job[0].ids is missing\n` +
      `${file}:2:1: error: job[0].user is not known here: there are ids, everyone, users, groups, cgroups\n` +
      `${file}: wrong: 2 errors\n`,
  });
  const { code, stdout } = await sealane(t, ['policy', 'check', file, '--json']);
  const { right, problems } = JSON.parse(stdout) as {
    right: boolean;
    problems: { at: string; position: object }[];
  };
  assert.deepEqual([code, right, problems.length], [7, false, 2]);
  assert.deepEqual([problems[1]?.at, problems[1]?.position], ['job[0].user', { line: 2, column: 1 }]);
  chmodSync(file, 0o666);
  const unsafe = await sealane(t, ['policy', 'check', file]);
  assert.equal(unsafe.code, 4);
  assert.match(unsafe.stderr, /chmod go-w/);
});

test('what asks about a caller says which, and callers that there are not are refused', async (t) => {
  const file = join(folderOf(t), 'policy.toml');
  writeFileSync(file, '');
  for (const words of [
    ['--job', 'x'],
    ['--as', 'no such user'],
    ['--as', 'root:no such group'],
    ['--as', 'root:'],
    ['--as', '-x'],
  ]) {
    const { code, stderr } = await sealane(t, ['policy', 'check', file, ...words]);
    assert.deepEqual([code, /^sealane: .*; /.test(stderr)], [2, true], `${words}: ${stderr}`);
  }
});

test('a broker does not start with a policy that is wrong, missing, or beside --user', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'policy.toml');
  const socket = ['--socket', join(folder, 'broker.sock')];
  writeFileSync(file, '[[admit]]\n');
  const wrong = await sealane(t, ['broker', ...socket, '--policy', file]);
  assert.equal(wrong.code, 7);
  assert.match(wrong.stderr, /the policy is wrong: .*policy\.toml:1:1: admit\[0\] must say who is meant/);
  assert.match(wrong.stderr, /`sealane policy check .*` shows all that is wrong/);
  assert.equal((await sealane(t, ['broker', ...socket, '--policy', `${file}.x`])).code, 1);
  assert.equal((await sealane(t, ['broker', ...socket, '--policy', file, '--user', '1'])).code, 2);
});

test("the broker's own user obeys the policy; SIGHUP has it read anew, and a wrong one changes nothing", async (t) => {
  const grant = (name: string) => `[[grant]]\neveryone = true\nnames = ["${name}"]\nmay = ["put"]\n`;
  const broker = await startBroker(t, grant('a'));
  assert.match(await broker.said(), /policy\.toml: warning: nobody is admitted but the user of the broker/);
  await using bus = await connect({ socket: broker.socket });
  await bus.put(Buffer.from('x'), { name: 'a' });
  await assert.rejects(bus.put(Buffer.from('x'), { name: 'b' }), { code: 'ERR_SEALANE_ACCESS_DENIED' });
  const lines = await broker.reload(grant('b'));
  assert.match(lines.at(-1) ?? '', /policy\.toml was read anew and is in force/);
  await bus.put(Buffer.from('x'), { name: 'b' });
  await assert.rejects(bus.put(Buffer.from('x'), { name: 'a' }), { code: 'ERR_SEALANE_ACCESS_DENIED' });
  const [refusal] = await broker.reload('[[grant]]');
  assert.match(
    refusal ?? '',
    /the policy is wrong: .*the policy that was there before stays in force; `sealane policy check/,
  );
  await bus.put(Buffer.from('x'), { name: 'b' });
});

test(
  'users share what the policy grants, act under their jobs only, and lose what it takes away',
  OTHERS,
  async (t) => {
    const broker = await startBroker(t, CAMERA);
    const socket = ['--socket', broker.socket];
    const viewer = { ...BOB, groups: [VIDEO] };
    const put = (as: Person, ...words: string[]) =>
      sealane(t, ['put', '-', ...words, ...socket], as, 'frame');
    const get = (as: Person) => sealane(t, ['get', 'camera/front', ...socket], as);
    assert.equal((await put(ALICE, '--name', 'camera/front', '--job-id', 'camera')).code, 0);
    assert.deepEqual(await get(viewer), { code: 0, stdout: 'frame', stderr: '' });
    const denied = [
      put(ALICE, '--name', 'camera/front'),
      put(ALICE, '--name', 'other', '--job-id', 'camera'),
      put(viewer, '--name', 'camera/front', '--job-id', 'camera'),
      put(viewer, '--name', 'camera/front'),
      sealane(t, ['drop', 'camera/front', ...socket], viewer),
      sealane(t, ['list', ...socket], BOB),
    ];
    for (const { code, stderr } of await Promise.all(denied)) assert.equal(code, 4, stderr);
    const watch = start(t, ['watch', 'camera/*', '--no-existing', ...socket], viewer);
    const ended = finish(watch);
    await using bus = await connect({ socket: broker.socket });
    while ((await bus.status()).watches === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await broker.reload(CAMERA.replaceAll(String(VIDEO), '4711'));
    const { code, stderr } = await ended;
    assert.equal(code, 4, stderr);
    assert.match(stderr, /is not admitted by this broker's policy/);
    assert.equal((await get(viewer)).code, 4);
  },
);

test('a broker of another user is trusted only when that user is named', OTHERS, async (t) => {
  const { socket } = await startBroker(t, `[[admit]]\nusers = [${BOB.uid}]\n`, ALICE);
  const list = (...words: string[]) => sealane(t, ['list', '--socket', socket, ...words], BOB);
  const { code, stderr } = await list();
  assert.equal(code, 4);
  assert.match(
    stderr,
    /belongs to user \d+, not to \d+; if that is the broker you mean, trust its user with --trust-user USER/,
  );
  assert.deepEqual(await list('--trust-user', String(ALICE.uid)), { code: 0, stdout: '', stderr: '' });
  const unknown = await list('--trust-user', 'no such user');
  assert.deepEqual([unknown.code, /there is no user no such user/.test(unknown.stderr)], [2, true]);
  const doctor = await sealane(t, ['doctor', '--socket', socket, '--trust-user', String(ALICE.uid)], BOB);
  assert.match(doctor.stdout, /^ok\tbroker\t/m);
});

test('a broker warns of a socket that those whom it admits can not reach', async (t) => {
  const folder = folderOf(t);
  chmodSync(folder, 0o700);
  const file = join(folder, 'policy.toml');
  writeFileSync(file, '[[admit]]\nusers = [1]\n[[grant]]\nnames = ["*"]\nmay = ["put"]\neveryone = true\n');
  const broker = start(t, ['broker', '--socket', join(folder, 'broker.sock'), '--policy', file]);
  const ended = finish(broker);
  broker.stdout?.once('data', () => broker.kill('SIGTERM'));
  const { stderr } = await ended;
  assert.equal(
    stderr,
    `sealane: other users can't reach the socket: ${folder} is closed to them; choose another place with --socket, in a directory of mode 0755\n`,
  );
});
