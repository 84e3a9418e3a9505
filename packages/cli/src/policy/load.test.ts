// Policy files: what is read, what is refused and where, what is warned of.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CommandError } from '../failure.js';
import { loadPolicy, readPolicy } from './load.js';
import { problemLine } from './problems.js';

/** A user that every machine has. */
const USERS = 'users = ["root"]';

function fileWith(t: TestContext, text: string | Buffer, mode = 0o644): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-policy-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'policy.toml');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

async function linesFor(t: TestContext, text: string): Promise<string[]> {
  const { problems } = await loadPolicy(fileWith(t, text), { checkIds: true });
  return problems.map((problem) => problemLine('f', problem));
}

async function refusal(file: string): Promise<CommandError> {
  const error = await readPolicy(file).then(
    () => assert.fail('it was read'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CommandError, String(error));
  return error;
}

test('a file becomes a policy: names become ids, sizes become bytes, entries keep their places', async (t) => {
  const text = `
    [[admit]]
    users = ["root", 4711]
    groups = [44]
    [[admit]]
    cgroups = ["/system.slice/camera.service"]
    [[job]]
    ids = ["camera"]
    everyone = true
    [[grant]]
    jobs = ["camera"]
    names = ["camera/*"]
    may = ["put", "drop"]
    [[quota]]
    jobs = ["camera"]
    objects = 100
    bytes = "1GiB"
    records = 4096
  `;
  const { options, warnings } = await readPolicy(fileWith(t, text));
  assert.deepEqual(warnings, []);
  assert.deepEqual(JSON.parse(JSON.stringify(options)), {
    admit: [{ users: [0, 4711], groups: [44] }, { cgroups: ['/system.slice/camera.service'] }],
    jobs: [{ ids: ['camera'], everyone: true }],
    grants: [{ jobs: ['camera'], names: ['camera/*'], may: ['put', 'drop'] }],
    quotas: [{ jobs: ['camera'], maxObjects: 100, maxBytes: 2 ** 30, maxRecordBytes: 4096 }],
  });
});

const WRONG: readonly [text: string, ...lines: string[]][] = [
  ['[[admit]]\nusers = [1,\n= 3', 'f:3:1: error: no TOML: invalid value'],
  ['[admit]\neveryone = true', 'f:1:1: error: admit must be written [[admit]], with two brackets'],
  [
    '[[admit]]',
    'f:1:1: error: admit[0] must say who is meant: everyone = true alone, or users, groups, cgroups',
  ],
  [
    '[[admit]]\neveryone = true\nusers = [1]',
    'f:1:1: error: admit[0] must say who is meant: everyone = true alone, or users, groups, cgroups',
  ],
  ['[[admit]]\nusers = []', 'f:2:1: error: admit[0].users must not be empty; it is []'],
  [
    '[[admit]]\nusers = [-1]',
    'f:2:10: error: admit[0].users[0] must be an id from 0 to 4294967294; it is -1',
  ],
  ['[[admit]]\nusers = [1.5]', 'f:2:10: error: admit[0].users[0] must be a whole number; it is 1.5'],
  [
    '[[admit]]\nusers = ["1001"]',
    'f:2:10: error: admit[0].users[0] must be a name; an id is written without quotes; it is "1001"',
  ],
  [
    '[[admit]]\nusers = ["--help"]',
    'f:2:10: error: admit[0].users[0] must be the name of an account, which begins with no dash; it is "--help"',
  ],
  [
    '[[admit]]\nusers = ["no such user"]',
    'f:2:10: error: admit[0].users[0] must be a user of this machine; it has none named "no such user"',
  ],
  [
    '[[quota]]\ngroups = ["no such group"]',
    'f:2:11: error: quota[0].groups[0] must be a group of this machine; it has none named "no such group"',
  ],
  ['[[job]]\neveryone = true', 'f:1:1: error: job[0].ids is missing'],
  [
    '[[job]]\nids = ["a"]\neveryone = true\nuser = 1',
    'f:4:1: error: job[0].user is not known here: there are ids, everyone, users, groups, cgroups',
  ],
  ['grants = 1', 'f:1:1: error: grants is not known here: there are admit, job, grant, quota'],
  [
    '[[grant]]\neveryone = true\nnames = ["x", 3]\nmay = ["get", "read"]',
    'f:3:15: error: grant[0].names[1] must be a text in quotes; it is 3',
    'f:4:15: error: grant[0].may[1] must be one of put, get, list, drop; it is "read"',
  ],
  [
    '[[quota]]\nusers = [1]\njobs = ["x"]\nobjects = 1',
    'f:1:1: error: quota[0] must have exactly one of users, groups and jobs',
  ],
  [
    '[[quota]]\nusers = [1]\nbytes = "much"',
    'f:3:1: error: quota[0].bytes must be a size such as 1048576, "512KiB" or "1GiB"; it is "much"',
  ],
  ['[[quota]]\nusers = [1]\nobjects = -1', 'f:3:1: error: quota[0].objects must not be negative; it is -1'],
];

for (const [text, ...expected] of WRONG) {
  test(`what is wrong is named with its place: ${JSON.stringify(text)}`, async (t) => {
    const errors = (await linesFor(t, text)).filter((line) => line.includes(' error: '));
    assert.deepEqual(errors, expected);
  });
}

/** A policy that gives no cause for warnings, for entries to be added. */
const SOUND = `[[admit]]\n${USERS}\n[[job]]\nids = ["cam-*"]\n${USERS}\n[[grant]]\nnames = ["*"]\nmay = ["put"]\n${USERS}\n`;

const DOUBTFUL: readonly [text: string, ...lines: string[]][] = [
  [SOUND],
  [
    '',
    'f: warning: nobody is admitted but the user of the broker: there is no [[admit]]',
    'f: warning: nobody may put anything: there is no [[grant]] with "put" in may',
  ],
  [
    `${SOUND}[[admit]]\nusers = [4000000]`,
    'f:11:10: warning: admit[1].users[0] is 4000000, and this machine has no user with that id',
  ],
  [
    `${SOUND}[[admit]]\ncgroups = ["*/camera.service", "system.slice", "/a/"]`,
    'f:11:12: warning: admit[1].cgroups[0] is "*/camera.service": it fits control groups that users make for themselves; begin it with the path of a slice',
    'f:11:32: warning: admit[1].cgroups[1] is "system.slice", and fits nothing: paths of control groups begin with /',
    'f:11:48: warning: admit[1].cgroups[2] is "/a/", and fits nothing: paths of control groups have no empty parts, no . and no ..',
  ],
  [
    `${SOUND}[[grant]]\njobs = ["cam-1", "c*", "viewer", "view*"]\nnames = ["x"]\nmay = ["get"]`,
    'f:11:24: warning: grant[1].jobs[2] is "viewer", and no [[job]] binds such a job to anybody: nobody can act under it',
    'f:11:34: warning: grant[1].jobs[3] is "view*", and no [[job]] binds such a job to anybody: nobody can act under it',
  ],
  [
    `${SOUND}[[job]]\nids = ["${'j'.repeat(257)}"]\n${USERS}`,
    'f:11:8: warning: job[1].ids[0] fits nothing: a job id has at most 256 bytes',
  ],
  [
    `${SOUND}[[quota]]\n${USERS}\n[[quota]]\n${USERS}\nobjects = 1`,
    'f:10:1: warning: quota[0] limits nothing: it has neither objects nor bytes nor records',
    `f:13:10: warning: quota[1].users[0] is 0, for whom an earlier [[quota]] counts: the first that fits does`,
  ],
  [
    `${SOUND}[[grant]]\nnames = ["sha256:AB*"]\nmay = ["get"]\n${USERS}`,
    'f:11:10: warning: grant[1].names[0] is "sha256:AB*": the names that digests give are written in lower case',
  ],
];

for (const [text, ...expected] of DOUBTFUL) {
  test(`what is surely not meant is warned of: ${JSON.stringify(text.replace(SOUND, '... '))}`, async (t) => {
    assert.deepEqual(await linesFor(t, text), expected);
  });
}

test('ids of nobody, and of users that no section admits, are warned of', async (t) => {
  const lines = await linesFor(
    t,
    `${SOUND}[[grant]]\nnames = ["x"]\nmay = ["get"]\nusers = [65534, 4000000]`,
  );
  assert.deepEqual(
    lines
      .map((line) => line.replace(/^f:13:\d+: warning: /, ''))
      .filter((line) => !line.includes('has no user')),
    [
      'grant[1].users[0] is 65534, which stands for all users that are not known: it is always refused',
      'grant[1].users[1] is 4000000, whom no [[admit]] admits: it matters only if that is the user of the broker',
    ],
  );
});

test('a file that others may write is refused, with the way out', async (t) => {
  for (const mode of [0o664, 0o646]) {
    const file = fileWith(t, '', mode);
    const { message, hint, exitCode } = await refusal(file);
    assert.match(message, /can be written by others than its owner \(mode 06(64|46)\)/);
    assert.equal(hint, `keep others from writing it with \`chmod go-w ${file}\``);
    assert.equal(exitCode, 4);
  }
});

test('what is no file of a sensible size in UTF-8 is refused at once', async (t) => {
  const file = fileWith(t, '');
  const fifo = `${file}.fifo`;
  assert.equal(spawnSync('mkfifo', ['-m', '644', fifo]).status, 0);
  assert.match((await refusal(fifo)).message, /is no regular file/);
  assert.match((await refusal('/dev/zero')).message, /is no regular file/);
  assert.match(
    (await refusal(fileWith(t, Buffer.alloc(2 ** 20 + 1, '#')))).message,
    /more than 1048576 bytes/,
  );
  assert.match((await refusal(fileWith(t, Buffer.from([0x23, 0xff])))).message, /is not UTF-8/);
  await assert.rejects(readPolicy(join(file, 'x')), { code: 'ENOTDIR' });
});

test('the file is what a link leads to: its owner and its mode count', async (t) => {
  const file = fileWith(t, '[[admit]]\neveryone = true\n');
  const link = `${file}.link`;
  symlinkSync(file, link);
  await readPolicy(link);
  chmodSync(file, 0o666);
  assert.match((await refusal(link)).message, /can be written by others/);
});

test('a file of another user than root is refused', {
  skip: process.getuid?.() === 0 ? false : 'only root can give a file away',
}, async (t) => {
  const file = fileWith(t, '');
  chownSync(file, 4711, 4711);
  const { message, hint, exitCode } = await refusal(file);
  assert.match(message, /belongs to user 4711, neither root nor the user 0 of this broker/);
  assert.match(String(hint), /chown 0/);
  assert.equal(exitCode, 4);
});

test('the policies of the documentation are right, and give no cause for warnings', async (t) => {
  const page = readFileSync(new URL('../../../../docs/policy.md', import.meta.url), 'utf8');
  const policies = [...page.matchAll(/^```toml\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
  assert.equal(policies.length, 3);
  const ids = new Map<string, number>();
  for (const text of policies) {
    // The accounts of the documentation are not those of this machine.
    const known = text.replace(/^(?:users|groups) = .*/gm, (line) =>
      line.replace(/"[^"]*"/g, (name) => {
        ids.set(name, ids.get(name) ?? 1_000 + ids.size);
        return String(ids.get(name));
      }),
    );
    assert.notEqual(known, '');
    const { options, warnings } = await readPolicy(fileWith(t, known));
    assert.deepEqual(warnings, [], text);
    assert.ok((options.grants ?? []).length > 1);
  }
  assert.equal(ids.size, 5);
});
