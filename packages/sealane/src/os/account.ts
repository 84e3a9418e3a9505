/** Users and groups by name, as this machine's databases know them. Owns nothing; trusts the databases. */
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';

/** Longest name of a user or group that is looked up, in bytes. */
export const MAX_ACCOUNT_BYTES = 256;

/**
 * The id of the user or group of that name; undefined: there is none. Blocks the thread for as long as the database takes, which may be on
 * another machine. Throws ERR_SEALANE_SYSTEM when it can't be asked.
 */
export function findAccount(kind: 'user' | 'group', name: string): number | undefined {
  const native = addon();
  try {
    const id = kind === 'user' ? native.accountUser(name) : native.accountGroup(name);
    return id === -1 ? undefined : id;
  } catch (error) {
    throw systemError(error, `looking up the ${kind} ${name}`);
  }
}
