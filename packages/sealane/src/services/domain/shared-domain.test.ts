/** The directory of a shared domain: made by its administrator, and taken for one only if it is as it was made. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Domain } from './domain.js';
import { freshDirectory } from './domain.test.helper.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { publishNode } from './node-files.js';
import { NodeServices } from './service-files.js';
import { createSharedDomain, openSharedDomain } from './shared-domain.js';
import { listNodes } from './survey.js';

const NOT_ROOT = process.getuid?.() === 0 ? false : 'only root can give files to other users';
const OWN_GROUP = process.getegid?.() ?? 0;

const modeOf = (path: string) => (lstatSync(path).mode & 0o7777).toString(8);

test('it is made for everybody, or for a group, whatever the umask', async (t) => {
  const directory = freshDirectory(t);
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  const cases = [
    [undefined, ['1777', '644', '666', '1777', '1777']],
    [OWN_GROUP, ['3770', '640', '660', '3770', '3770']],
  ] as const;
  for (const [group, modes] of cases) {
    const path = join(directory, String(group));
    await createSharedDomain(path, { group });
    const parts = ['', 'domain.json', 'lock', 'nodes', 'services'].map((name) => join(path, name));
    assert.deepEqual(parts.map(modeOf), modes);
    if (group !== undefined) assert.ok(parts.every((part) => lstatSync(part).gid === group));
    assert.deepEqual(JSON.parse(readFileSync(join(path, 'domain.json'), 'utf8')), {
      version: 1,
      shared: true,
    });
  }
});

test('one that is there stays as it is, and is not made one of another kind', async (t) => {
  const path = join(freshDirectory(t), 'bus');
  await createSharedDomain(path);
  using node = publishNode(Domain.open({ sharedDirectory: path }), 'here');
  await createSharedDomain(path);
  assert.deepEqual(readdirSync(join(path, 'nodes')), [node.id]);
  await assert.rejects(createSharedDomain(path, { group: OWN_GROUP }), {
    code: 'ERR_SEALANE_UNSAFE_DIRECTORY',
    message: new RegExp(`is a shared domain for everybody, not for group ${OWN_GROUP}`),
  });
});

test('a maker that was interrupted is followed by one that completes it; what others have in it stays theirs', async (t) => {
  const directory = freshDirectory(t);
  for (const parts of [[], ['nodes'], ['nodes', 'services', 'lock']]) {
    const path = join(directory, `after-${parts.length}`);
    mkdirSync(path, { mode: 0o700 });
    for (const part of parts) {
      if (part === 'lock') writeFileSync(join(path, part), '');
      else mkdirSync(join(path, part), { mode: 0o700 });
    }
    await createSharedDomain(path);
    openSharedDomain(path);
  }
  const full = join(directory, 'full');
  mkdirSync(full);
  writeFileSync(join(full, 'letter.txt'), '');
  await assert.rejects(createSharedDomain(full), {
    code: 'ERR_SEALANE_UNSAFE_DIRECTORY',
    message: /letter.txt/,
  });
  symlinkSync(join(directory, 'after-0'), join(directory, 'link'));
  await assert.rejects(createSharedDomain(join(directory, 'link')), { code: 'ERR_SEALANE_UNSAFE_DIRECTORY' });
  await assert.rejects(createSharedDomain(join(directory, 'no', 'parent')), { code: 'ERR_SEALANE_SYSTEM' });
});

test('wrong arguments are told', async (t) => {
  const path = join(freshDirectory(t), 'bus');
  const cases: readonly [unknown, RegExp][] = [
    [{ group: 'no-such-group-here' }, /options.group must be the name or id of a group/],
    [{ group: -1 }, /options.group/],
    [{ groups: 0 }, /options must have only the keys group/],
  ];
  for (const [options, message] of cases)
    await assert.rejects(createSharedDomain(path, options as never), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message,
    });
  await assert.rejects(createSharedDomain(''), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('a directory that is not as it was made is refused, with what is wrong and what to do', async (t) => {
  const path = join(freshDirectory(t), 'bus');
  const part = (name: string) => join(path, name);
  const unsafe: readonly [what: string, spoil: () => void, message: RegExp][] = [
    ['missing', () => rmSync(path, { recursive: true }), /is missing: `sealane domain create/],
    ['not sticky', () => chmodSync(path, 0o777), /has mode 0777, which is not sticky/],
    ['nodes not sticky', () => chmodSync(part('nodes'), 0o777), /nodes has mode 0777/],
    ['services missing', () => rmSync(part('services'), { recursive: true }), /services is missing/],
    ['no lock', () => unlinkSync(part('lock')), /lock is missing/],
    ['no marker', () => unlinkSync(part('domain.json')), /domain.json is missing/],
    ['marker of all', () => chmodSync(part('domain.json'), 0o666), /has mode 0666, which lets others write/],
    ['other marker', () => writeFileSync(part('domain.json'), '{"version":1}'), /is none of ours/],
    [
      'link',
      () => {
        renameSync(part('nodes'), part('real'));
        symlinkSync(part('real'), part('nodes'));
      },
      /nodes is a symbolic link/,
    ],
  ];
  for (const [what, spoil, message] of unsafe) {
    rmSync(path, { recursive: true, force: true });
    await createSharedDomain(path);
    spoil();
    const expected = { code: 'ERR_SEALANE_UNSAFE_DIRECTORY', message };
    assert.throws(() => Domain.open({ sharedDirectory: path }), expected, what);
    assert.throws(() => Domain.find({ sharedDirectory: path }), expected, what);
  }
});

test('one that belongs to another user than root and the own, as a whole or in parts, is refused', {
  skip: NOT_ROOT,
}, async (t) => {
  const directory = freshDirectory(t);
  for (const name of ['', 'nodes', 'lock', 'domain.json']) {
    const path = join(directory, `of-${name}`);
    await createSharedDomain(path);
    chownSync(join(path, name), 4_711, 4_711);
    assert.throws(
      () => Domain.open({ sharedDirectory: path }),
      { code: 'ERR_SEALANE_UNSAFE_DIRECTORY' },
      name,
    );
  }
});

test('it is one domain: named alone, or by the environment where no other is named', async (t) => {
  const directory = freshDirectory(t);
  const path = join(directory, 'bus');
  await createSharedDomain(path);
  for (const beside of [{ name: 'default' }, { directory }])
    assert.throws(() => Domain.open({ ...beside, sharedDirectory: path }), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message: /without domain and directory/,
    });
  process.env.SEALANE_SHARED_DIR = path;
  t.after(() => delete process.env.SEALANE_SHARED_DIR);
  assert.equal(Domain.open().path, path);
  assert.equal(Domain.open({ directory }).shared, undefined);
  using node = publishNode(Domain.open(), 'by environment');
  assert.deepEqual(
    (await listNodes()).map(({ id }) => id),
    [node.id],
  );
  process.env.SEALANE_SHARED_DIR = '';
  assert.deepEqual(await listNodes({ directory }), []);
});

test('a path under which a socket would have too long a path is refused with the length that fits', async (t) => {
  const path = join(freshDirectory(t), 'd'.repeat(60));
  await createSharedDomain(path);
  assert.throws(() => Domain.open({ sharedDirectory: path }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /have at most 75 bytes/,
  });
});

test('access is stated in shared domains only', (t) => {
  const domain = Domain.open({ directory: freshDirectory(t) });
  using node = publishNode(domain, 'node');
  using services = new NodeServices(domain, node.id);
  assert.throws(() => services.create(PUBLISH_SUBSCRIBE, 'x', { access: {} }), {
    code: 'ERR_SEALANE_INVALID_ARGUMENT',
    message: /access must be left out/,
  });
});
