// As whom the processes of a run act. Only root can become others: to everyone else, everybody is the own user.

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attack, Role, Users } from './attack.js';

/** Below 65,534, so that user namespaces of containers have them, and apart from those that systems give to people. */
const FIRST_USER = 40_000;

/** Descriptors in flight count per user: runs at the same time must not share theirs. */
const RUNS = 6_000;

/** The roles in words. */
export const WHO: Readonly<Record<Role, string>> = {
  own: 'the same user',
  admitted: 'another user',
  stranger: 'a stranger',
};

/** The users of this run. As root, none of them is root: the kernel exempts root from limits. */
export function chooseUsers(): Users {
  const uid = process.geteuid?.() ?? -1;
  if (uid !== 0) return { own: uid, admitted: uid, stranger: uid };
  const own = FIRST_USER + (process.pid % RUNS) * 3;
  return { own, admitted: own + 1, stranger: own + 2 };
}

/** Compiles the C program of some attacks, where that can be done; those that need it are skipped where not. */
export function buildPrograms(): void {
  const script = fileURLToPath(new URL('../../../scripts/build-peers.mjs', import.meta.url));
  spawnSync(process.execPath, [script], { stdio: 'ignore' });
}

/** Why an attack can't be made in a role here; undefined: it can. */
export function hindrance(attack: Attack, role: Role): string | undefined {
  return attack.hindrance?.() ?? roleHindrance(role);
}

/** Why this process can't act in a role. */
export function roleHindrance(role: Role): string | undefined {
  if (role === 'own') return undefined;
  return process.geteuid?.() === 0 ? undefined : 'needs root, to act as another user';
}

/** Why nobody but this process's user can run anything here; undefined: others can. */
export function unreadable(users: Users): string | undefined {
  if (users.own === process.geteuid?.()) return undefined;
  const script = join(dirname(fileURLToPath(import.meta.url)), 'probe.js');
  accessSync(script, constants.R_OK);
  const check = `require('node:fs').accessSync(${JSON.stringify(script)}, 4)`;
  const run = spawnSync(process.execPath, ['-e', check], {
    uid: users.own,
    gid: users.own,
    cwd: '/',
    encoding: 'utf8',
  });
  if (run.status === 0) return undefined;
  return `other users can't run what lies here: ${run.error?.message ?? run.stderr.split('\n').find((line) => line.includes('EACCES'))}`;
}
