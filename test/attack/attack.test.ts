// The short form of the attack suite: every attack, until everything that is expected came back once. `npm run test:attack` measures too.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Attack, Role } from './attack.js';
import { ATTACKS } from './attacks/index.js';
import { ANYWHERE } from './places.js';
import { Stages } from './stages.js';
import { Ground } from './trial.js';
import { TRIALS } from './trials/index.js';
import { buildPrograms, chooseUsers, hindrance, roleHindrance, unreadable, WHO } from './users.js';

/** How long an attack lasts at least, in milliseconds. */
const ATTACK_MS = 50;

buildPrograms();
const users = chooseUsers();
const unusable = unreadable(users);
const stages = new Stages(users, ANYWHERE);
after(() => stages[Symbol.asyncDispose]());

/** Another user where that can be, and else the own one. `npm run test:attack` takes all. */
function chooseRole(attack: Attack): Role {
  const { roles } = attack;
  const possible = roles.filter((role) => hindrance(attack, role) === undefined);
  return possible.find((role) => role !== 'own') ?? possible[0] ?? roles[0] ?? 'own';
}

for (const trial of TRIALS) {
  test(`${trial.name}: ${WHO[trial.role]} does no harm`, async (t) => {
    const reason = unusable ?? roleHindrance(trial.role);
    if (reason !== undefined) return t.skip(reason);
    await using ground = new Ground(users);
    await trial.run(ground);
  });
}

for (const attack of ATTACKS) {
  const role = chooseRole(attack);
  test(`${attack.name}: refused to ${WHO[role]}, and nobody else notices`, async (t) => {
    const reason = unusable ?? hindrance(attack, role);
    if (reason !== undefined) return t.skip(reason);
    const stage = await stages.stageFor(attack);
    const { faults } = await stage.run(attack, role, ATTACK_MS);
    assert.deepEqual(faults, []);
  });
}
