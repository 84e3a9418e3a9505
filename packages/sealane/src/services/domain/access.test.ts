/** Whom a service lets in: what callers give, what files say, and who is meant by it. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { overflowIds } from '../../os/overflow.js';
import { admits, checkAccess, describeAccess, ownSubject, parseAccess, writeAccess } from './access.js';

const groups = (...ids: number[]) => new Set(ids);

test('names are looked up, ids are taken as they are, each once; what is left out names nobody', () => {
  const [user = '', , uid] = readFileSync('/etc/passwd', 'utf8').split('\n')[0]?.split(':') ?? [];
  const [group = '', , gid] = readFileSync('/etc/group', 'utf8').split('\n')[0]?.split(':') ?? [];
  assert.deepEqual(checkAccess({ users: [user, Number(uid), 4_711], groups: [group, 4_294_967_294] }), {
    users: [Number(uid), 4_711],
    groups: [Number(gid), 4_294_967_294],
  });
  assert.deepEqual(checkAccess({}), { users: [], groups: [] });
  assert.equal(checkAccess(undefined), undefined);
});

test('wrong values, unknown names and too many of them are refused, with what is wrong', () => {
  const cases: readonly [unknown, RegExp][] = [
    [{ user: ['root'] }, /access must have only the keys users, groups/],
    [{ users: 'root' }, /access.users must be an array/],
    [{ users: [-1] }, /access.users\[0\] must be an integer/],
    [{ groups: [0, 4_294_967_295] }, /access.groups\[1\] must be an integer/],
    [{ users: [''] }, /access.users\[0\] must have 1 to 256 bytes/],
    [{ users: ['a\0b'] }, /must be the name or id of a user/],
    [
      { groups: ['no-such-group-here'] },
      /access.groups\[0\] must be the name or id of a group of this machine/,
    ],
    [{ users: Array.from({ length: 65 }, (_, id) => id) }, /must have at most 64 entries/],
    [[], /access must be an object/],
  ];
  for (const [given, message] of cases)
    assert.throws(() => checkAccess(given as never), { code: 'ERR_SEALANE_INVALID_ARGUMENT', message });
});

test('a user is let in by its id or one of its groups, never by what stands for groups that are not mapped', () => {
  const access = { users: [1_000], groups: [50, overflowIds().gid] };
  assert.ok(admits(access, { uid: 1_000, groups: groups() }));
  assert.ok(admits(access, { uid: 1_001, groups: groups(7, 50) }));
  assert.ok(!admits(access, { uid: 1_001, groups: groups(7, overflowIds().gid) }));
  assert.ok(!admits({ users: [], groups: [] }, { uid: 0, groups: groups(0) }));
  assert.equal(describeAccess(access), `users 1000 and groups 50, ${overflowIds().gid}`);
  assert.equal(describeAccess({ users: [], groups: [] }), 'its own user only');
  const { uid, groups: own } = ownSubject();
  assert.equal(uid, process.geteuid?.());
  assert.ok(own.has(process.getegid?.() ?? -1));
});

test('what a file says is read again in the same user namespace, and refused in another or when it is anything else', () => {
  const access = { users: [1, 2], groups: [3] };
  const written = JSON.parse(JSON.stringify(writeAccess(access)));
  assert.equal(`user:[${written.userNamespace}]`, readlinkSync('/proc/self/ns/user'));
  assert.deepEqual(parseAccess(written), access);
  assert.equal(parseAccess(undefined), undefined);
  for (const userNamespace of ['4026531000', '', undefined, 7])
    assert.throws(() => parseAccess({ ...access, userNamespace }), { code: 'ERR_SEALANE_ACCESS_DENIED' });
  for (const change of [{ users: ['root'] }, { groups: 3 }, { users: undefined }, { groups: [1.5] }])
    assert.throws(() => parseAccess({ ...written, ...change }), { code: 'ERR_SEALANE_PROTOCOL' });
  for (const value of [null, 7, [], 'everybody'])
    assert.throws(() => parseAccess(value), { code: 'ERR_SEALANE_PROTOCOL' });
});
