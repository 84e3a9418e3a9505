// All attacks, by family.
import type { Attack } from '../attack.js';
import { CONNECTIONS } from './connections.js';
import { DESCRIPTORS } from './descriptors.js';
import { MALFORMED } from './malformed.js';
import { MEMFDBUS } from './memfdbus.js';
import { OBJECTS } from './objects.js';
import { REQUESTS } from './requests.js';

export const ATTACKS: readonly Attack[] = [
  ...MALFORMED,
  ...CONNECTIONS,
  ...DESCRIPTORS,
  ...OBJECTS,
  ...REQUESTS,
  ...MEMFDBUS,
];

/** Throws for a name that no attack has. */
export function attackNamed(name: string): Attack {
  const attack = ATTACKS.find((each) => each.name === name);
  if (attack === undefined) throw new Error(`there is no attack "${name}"`);
  return attack;
}
