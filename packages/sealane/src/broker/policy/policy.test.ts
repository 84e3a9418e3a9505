/** The rules of a policy, without a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../../base/errors.js';
import { overflowIds } from '../../os/overflow.js';
import type { PeerIdentity } from '../../os/peer.js';
import { type Caller, may } from '../access.js';
import type { Content } from '../content.js';
import { Admission } from '../identity.js';
import type { StoredObject } from '../object.js';
import { TestStore } from '../store.test.helper.js';
import { explainPolicy } from './explain.js';
import { checkPolicy, type PolicyOptions } from './options.js';
import { Policy } from './policy.js';

const OWN = 1_000;
const OVERFLOW = overflowIds().uid;
const OVERFLOW_GROUP = overflowIds().gid;

function policyOf(options: PolicyOptions): Policy {
  checkPolicy('policy', options);
  return new Policy(new Admission(OWN, [], false), options);
}

interface PeerFields {
  pid?: number;
  groups?: readonly number[];
  cgroup?: string;
}

function peer(uid: number, { pid = 7, groups = [uid], cgroup }: PeerFields = {}): PeerIdentity {
  return { pid, uid, gid: uid, groups: new Set(groups), cgroup };
}

function callerOf(policy: Policy, who: PeerIdentity, job?: string): Caller {
  return { uid: who.uid, shelf: policy.shelfOf(), job, rights: policy.rights(who, job) };
}

function isDenied(error: unknown): boolean {
  return isSealaneError(error, 'ERR_SEALANE_ACCESS_DENIED');
}

test('an empty policy admits the user of the broker and nobody else, and grants nothing', () => {
  const policy = policyOf({});
  assert.equal(policy.refusal(peer(OWN)), undefined);
  assert(isSealaneError(policy.refusal(peer(0)), 'ERR_SEALANE_UNTRUSTED_PEER'));
  assert(isSealaneError(policy.refusal(peer(1_001)), 'ERR_SEALANE_UNTRUSTED_PEER'));
  const rights = policy.rights(peer(OWN), undefined);
  assert.throws(() => rights.checkPut('a'), isDenied);
  assert.throws(() => policy.rights(peer(OWN), 'camera'), isDenied);
});

test('users, groups and control groups are admitted; of several kinds all must fit', () => {
  const policy = policyOf({
    admit: [{ users: [1_001] }, { groups: [44], cgroups: ['/system.slice/*'] }, { cgroups: ['/robot'] }],
  });
  const admitted = (who: PeerIdentity): boolean => policy.refusal(who) === undefined;
  assert(admitted(peer(1_001)));
  assert(!admitted(peer(1_002)));
  assert(!admitted(peer(1_002, { groups: [1_002, 44] })));
  assert(admitted(peer(1_002, { groups: [1_002, 44], cgroup: '/system.slice/camera.service' })));
  assert(!admitted(peer(1_002, { groups: [1_002], cgroup: '/system.slice/camera.service' })));
  assert(admitted(peer(1_003, { cgroup: '/robot' })));
  assert(!admitted(peer(1_003, { cgroup: '/robot/arm' })));
});

test('ids that the user namespace does not map admit nobody, whatever the policy says', () => {
  const policy = policyOf({
    admit: [{ everyone: true }, { users: [OVERFLOW] }, { groups: [OVERFLOW_GROUP] }],
  });
  assert(isSealaneError(policy.refusal(peer(OVERFLOW)), 'ERR_SEALANE_UNTRUSTED_PEER'));
  assert(isSealaneError(policy.refusal(peer(1_001, { pid: 0 })), 'ERR_SEALANE_UNTRUSTED_PEER'));
  const grouped = policyOf({ admit: [{ groups: [OVERFLOW_GROUP] }] });
  assert(
    isSealaneError(grouped.refusal(peer(1_001, { groups: [OVERFLOW_GROUP] })), 'ERR_SEALANE_UNTRUSTED_PEER'),
  );
});

test('a job is acted under by those whom it is bound to, and put for by nobody else', () => {
  const policy = policyOf({
    jobs: [
      { ids: ['camera', 'cam-*'], users: [1_001] },
      { ids: ['viewer'], everyone: true },
    ],
    grants: [{ everyone: true, names: ['*'], may: ['put'] }],
  });
  for (const job of ['camera', 'cam-1', 'viewer']) policy.rights(peer(1_001), job);
  policy.rights(peer(1_002), 'viewer');
  for (const job of ['camera', 'cam-1', 'other']) {
    assert.throws(() => policy.rights(peer(1_002), job), isDenied);
    assert.throws(() => policy.rights(peer(1_002), undefined).account(job), isDenied);
  }
});

test('what is granted by name is granted whomever it belongs to; the rest stays with user and job', () => {
  const policy = policyOf({
    jobs: [
      { ids: ['camera'], users: [1] },
      { ids: ['viewer'], users: [2] },
    ],
    grants: [
      { jobs: ['viewer'], names: ['camera/*'], may: ['get', 'list'] },
      { users: [3], names: ['*'], may: ['list', 'drop'] },
    ],
  });
  const made = new TestStore();
  const put = (name: string | undefined, owner?: string, allowed: string[] = []): StoredObject =>
    made.insert(made.admit({ uid: 1, shelf: policy.shelfOf() }), name, { owner, allowed });
  const owned = put('camera/front', 'camera');
  const plain = put('camera/front');
  const secret = put('secret', 'camera', ['viewer']);
  const unnamed = put(undefined);
  const rightsOf = (caller: Caller): string[] =>
    [owned, plain, secret, unnamed].map((object) =>
      (['get', 'list', 'drop'] as const).filter((right) => may(right, object, caller)).join(),
    );
  assert.deepEqual(rightsOf(callerOf(policy, peer(1), 'camera')), [
    'get,list,drop',
    'get,list,drop',
    'get,list,drop',
    'get,list,drop',
  ]);
  assert.deepEqual(rightsOf(callerOf(policy, peer(1))), ['', 'get,list,drop', '', 'get,list,drop']);
  assert.deepEqual(rightsOf(callerOf(policy, peer(2), 'viewer')), ['get,list', 'get,list', 'get,list', '']);
  assert.deepEqual(rightsOf(callerOf(policy, peer(2))), ['', '', '', '']);
  assert.deepEqual(rightsOf(callerOf(policy, peer(3))), ['list,drop', 'list,drop', 'list,drop', 'list,drop']);
});

test('who may drop a name finds what it drops, without being granted to list it', () => {
  const policy = policyOf({
    grants: [
      { users: [2], names: ['log/*'], may: ['drop'] },
      { users: [3], names: ['log/*'], may: ['list'] },
    ],
  });
  const made = new TestStore();
  const content = (): Content => made.admit({ uid: 1, shelf: policy.shelfOf() });
  const [older, newer, other] = ['log/1', 'log/1', 'mail/1'].map((name) => made.insert(content(), name));
  const dropper = callerOf(policy, peer(2));
  const byName = { by: 'name', name: 'log/1' } as const;
  const byId = (object: StoredObject | undefined) => ({ by: 'id', id: object?.id ?? 0 }) as const;
  assert.equal(made.store.findToDrop(dropper, byName), newer);
  assert.equal(made.store.findToDrop(dropper, byId(older)), older);
  assert.throws(() => made.store.find(dropper, byName, 'list'), isDenied);
  assert.throws(() => made.store.findToDrop(dropper, byId(other)), isDenied);
  assert.throws(() => made.store.findToDrop(callerOf(policy, peer(3)), byName), /may see it and not drop it/);
});

test('an explanation names the entries that decide', () => {
  const options: PolicyOptions = {
    admit: [{ users: [1] }, { groups: [44] }],
    jobs: [
      { ids: ['a'], users: [9] },
      { ids: ['a*'], groups: [44] },
    ],
    grants: [
      { users: [1], names: ['*'], may: ['put'] },
      { jobs: ['a'], names: ['x', 'y*'], may: ['get', 'drop'] },
      { groups: [44], names: ['y'], may: ['list'] },
    ],
    quotas: [{ jobs: ['b'] }, { groups: [44], maxObjects: 1 }, { jobs: ['a'], maxObjects: 2 }],
  };
  const caller = { uid: 2, groups: [7, 44], job: 'a' };
  const explained = { unmapped: false, admit: 1, job: 1, userQuota: 1, jobQuota: 2 };
  assert.deepEqual(explainPolicy(options, caller), {
    ...explained,
    grants: [
      { index: 1, may: ['get', 'drop'], names: ['x', 'y*'] },
      { index: 2, may: ['list'], names: ['y'] },
    ],
  });
  assert.deepEqual(explainPolicy(options, caller, 'yes').grants, [
    { index: 1, may: ['get', 'drop'], names: ['y*'] },
  ]);
  assert.deepEqual(explainPolicy(options, caller, null).grants, []);
  assert.deepEqual(explainPolicy(options, { uid: 1, groups: [] }, null).grants, [
    { index: 0, may: ['put'], names: ['*'] },
  ]);
  assert.equal(explainPolicy(options, { uid: OVERFLOW, groups: [44] }).unmapped, true);
  assert.equal(explainPolicy(options, { uid: 3, groups: [] }).admit, undefined);
  assert.throws(() => explainPolicy({ admit: [{}] }, caller), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
});

test('the first quota that fits a user or a job counts', () => {
  const policy = policyOf({
    jobs: [{ ids: ['*'], everyone: true }],
    quotas: [
      { users: [1], maxObjects: 5 },
      { groups: [44], maxBytes: 100 },
      { jobs: ['cam-*'], maxObjects: 2 },
    ],
  });
  const account = (who: PeerIdentity, job?: string): unknown => {
    const { userLimits, jobLimits } = policy.rights(who, undefined).account(job);
    return [userLimits, jobLimits];
  };
  assert.deepEqual(account(peer(1, { groups: [44] })), [{ maxObjects: 5 }, undefined]);
  assert.deepEqual(account(peer(2, { groups: [2, 44] }), 'cam-1'), [{ maxBytes: 100 }, { maxObjects: 2 }]);
  assert.deepEqual(account(peer(3), 'other'), [undefined, undefined]);
});

test('whatever the policy, lookups find the newest that a search by the rules finds', () => {
  const job = fc.constantFrom('a', 'b');
  const name = fc.constantFrom('x', 'y', 'xy');
  const uid = fc.constantFrom(1, 2, 3);
  const pattern = fc.constantFrom('*', 'x*', '*y', 'x');
  const right = fc.constantFrom('get' as const, 'list' as const, 'drop' as const);
  const grant = fc.record({
    users: fc.array(uid, { minLength: 1, maxLength: 2 }),
    names: fc.array(pattern, { minLength: 1, maxLength: 2 }),
    may: fc.array(right, { minLength: 1, maxLength: 2 }),
  });
  const put = fc.record({
    uid,
    name,
    owner: fc.option(job, { nil: undefined }),
    allowed: fc.array(job, { maxLength: 1 }),
  });
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 3 }),
      fc.array(fc.oneof(put, fc.nat(9)), { maxLength: 40 }),
      (grants, steps) => {
        const policy = policyOf({ jobs: [{ ids: ['*'], everyone: true }], grants });
        const made = new TestStore();
        const live: StoredObject[] = [];
        for (const step of steps) {
          if (typeof step === 'number') for (const object of live.splice(step, 1)) made.store.drop(object);
          else {
            const allowed = step.owner === undefined ? [] : step.allowed;
            const content = made.admit({ uid: step.uid, shelf: policy.shelfOf() });
            live.push(made.insert(content, step.name, { owner: step.owner, allowed }));
          }
        }
        for (const who of [1, 2, 3])
          for (const as of [undefined, 'a', 'b'])
            for (const wanted of ['x', 'y', 'xy']) {
              const caller = callerOf(policy, peer(who), as);
              const expected = live.findLast(
                (object) => object.name === wanted && mayByTheBook(object, who, as, grants),
              );
              assert.equal(made.store.newest(caller, wanted), expected);
            }
      },
    ),
  );
});

/** The rules of get once more, in other words. */
function mayByTheBook(
  { uid, owner, allowed, name = '' }: StoredObject,
  who: number,
  as: string | undefined,
  grants: readonly { users: number[]; names: string[]; may: string[] }[],
): boolean {
  const fits: Record<string, (text: string) => boolean> = {
    '*': () => true,
    'x*': (text) => text[0] === 'x',
    '*y': (text) => text.at(-1) === 'y',
    x: (text) => text === 'x',
  };
  if (owner === undefined && uid === who) return true;
  if (owner !== undefined && as !== undefined && [owner, ...allowed].includes(as)) return true;
  return grants.some(
    (grant) =>
      grant.users.includes(who) &&
      grant.may.includes('get') &&
      grant.names.some((text) => fits[text]?.(name)),
  );
}

for (const [what, value, named] of [
  ['an unknown section', { admits: [] }, 'admits'],
  ['an empty subject', { admit: [{}] }, 'policy.admit[0]'],
  ['everyone beside users', { admit: [{ everyone: true, users: [1] }] }, 'policy.admit[0]'],
  ['a user by name', { admit: [{ users: ['alice'] }] }, 'policy.admit[0].users[0]'],
  ['the id that means none', { admit: [{ users: [4_294_967_295] }] }, 'policy.admit[0].users[0]'],
  ['an empty list', { admit: [{ groups: [] }] }, 'policy.admit[0].groups'],
  ['a job without ids', { jobs: [{ everyone: true }] }, 'policy.jobs[0].ids'],
  ['a grant without names', { grants: [{ everyone: true, may: ['get'] }] }, 'policy.grants[0].names'],
  [
    'an unknown right',
    { grants: [{ everyone: true, names: ['*'], may: ['read'] }] },
    'policy.grants[0].may[0]',
  ],
  ['a quota for nobody', { quotas: [{ maxObjects: 1 }] }, 'policy.quotas[0]'],
  ['a quota below nothing', { quotas: [{ users: [1], maxBytes: -1 }] }, 'policy.quotas[0].maxBytes'],
  ['no object', null, 'policy'],
] as const) {
  test(`a policy with ${what} is refused, and the place is named`, () => {
    assert.throws(
      () => checkPolicy('policy', value),
      (error) => isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT') && error.message.includes(named),
    );
  });
}
