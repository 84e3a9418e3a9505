// Frames between ordinary users: whom a service lets in exchanges them, and whoever it does not gets no descriptor, on either end.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  ALICE,
  BOB,
  Citizen,
  freshSharedDomain,
  GROUP,
  MALLORY,
  type Person,
  whyNo,
} from '../services/citizen.test.helper.js';

const NO_OTHERS = whyNo({ uid: ALICE });
const skip = { skip: NO_OTHERS };

test('two users exchange frames in both directions, and see who the other is', skip, async (t) => {
  const directory = await freshSharedDomain(t);
  const [alice, bob] = [ALICE, BOB].map((uid) => Citizen.join(t, directory, { uid }));
  const both = [await (alice as Promise<Citizen>), await (bob as Promise<Citizen>)] as const;
  for (const citizen of both) {
    await citizen.ask('open');
    await citizen.ask('framePublisher');
    await citizen.ask('frameSubscriber');
  }
  for (const citizen of both) await citizen.ask('framesConnected', { count: 2 });
  for (const [sender, receiver] of [both, [both[1], both[0]]] as const)
    for (let count = 1; count <= 20; count++) {
      assert.equal(await sender.ask('sendFrame', { count }), 2);
      const { pid } = sender.child;
      for (const citizen of [receiver, sender])
        assert.deepEqual(await citizen.ask('nextFrame'), { sender: pid, frame: count, pid });
    }
  for (const citizen of both) assert.equal((await citizen.ask('framePeers')).open, 0);
});

/** Whom the service lets in, and who tries: as the subscriber, or as the publisher. */
const ACCESSES: readonly {
  readonly what: string;
  readonly access: { users?: number[]; groups?: number[] };
  readonly friend: Person;
}[] = [
  { what: 'users', access: { users: [BOB] }, friend: { uid: BOB } },
  { what: 'groups', access: { groups: [GROUP] }, friend: { uid: BOB, groups: [GROUP] } },
];

for (const { what, access, friend } of ACCESSES)
  test(`a service that lets in ${what} gives no frame to another user, and takes none`, skip, async (t) => {
    const directory = await freshSharedDomain(t);
    const alice = await Citizen.join(t, directory, { uid: ALICE, groups: [GROUP] });
    await alice.ask('open', { options: { access } });
    await alice.ask('framePublisher');
    const bob = await Citizen.join(t, directory, friend);
    await bob.ask('open');
    await bob.ask('frameSubscriber');
    await alice.ask('framesConnected');
    // What Mallory's own library would refuse for him is asked by hand.
    const mallory = await Citizen.join(t, directory, { uid: MALLORY });
    const place = { directory, node: await alice.ask('id'), buffers: true as const };
    const said = await mallory.ask('dial', { ...place, text: await mallory.ask('id') });
    assert.match(said, new RegExp(`^untrusted: .*not user ${MALLORY}`));
    assert.match(
      await mallory.ask('dial', { ...place, text: await bob.ask('id') }),
      /^untrusted: .*speaks for/,
    );
    if (access.users !== undefined) {
      // A publisher that he announces by hand is connected to, and found to be his.
      const [folder = ''] = readdirSync(join(directory, 'services'));
      const pub = join(directory, 'services', folder, `${await mallory.ask('id')}-00000001.pub`);
      await mallory.ask('fs', { call: ['writeFileSync', pub, '{"version":1,"pid":1,"options":{}}'] });
      const { code, message } = await bob.ask('degraded');
      assert.equal(code, 'ERR_SEALANE_UNTRUSTED_PEER', message);
      assert.match(message, new RegExp(`not user ${MALLORY}`));
    }
    assert.equal(await alice.ask('sendFrame'), 1);
    assert.equal((await bob.ask('nextFrame')).frame, 1);
    assert.deepEqual(await alice.ask('framePeers'), { publishers: 0, subscribers: 1, open: 0 });
  });

test('a node that states whom it wants gets no frame of anybody else, and is told', skip, async (t) => {
  const directory = await freshSharedDomain(t);
  const [alice, mallory] = [
    await Citizen.join(t, directory, { uid: ALICE }),
    await Citizen.join(t, directory, { uid: MALLORY }),
  ];
  for (const citizen of [alice, mallory]) {
    await citizen.ask('open');
    await citizen.ask('framePublisher');
  }
  const bob = await Citizen.join(t, directory, { uid: BOB });
  await bob.ask('open', { options: { access: { users: [ALICE] } } });
  await bob.ask('frameSubscriber');
  const { code, message } = await bob.ask('degraded');
  assert.equal(code, 'ERR_SEALANE_UNTRUSTED_PEER', message);
  assert.match(message, new RegExp(`lets in users ${ALICE}, and not user ${MALLORY}`));
  await bob.ask('framesConnected');
  assert.equal(await mallory.ask('sendFrame', { count: 666 }), 0);
  assert.equal(await alice.ask('sendFrame', { count: 7 }), 1);
  const { pid } = alice.child;
  assert.deepEqual(await bob.ask('nextFrame'), { sender: pid, frame: 7, pid });
  assert.deepEqual(await bob.ask('framePeers'), { publishers: 1, subscribers: 0, open: 0 });
});
