/**
 * Users and groups of this machine by name and by id: getent(1) is asked, which knows all places where they may be kept; where there
 * is none, /etc/passwd and /etc/group are read. Trusts those who run this process with its PATH.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EXIT } from '../exit-codes.js';
import { CommandError } from '../failure.js';

const execute = promisify(execFile);

/** Directories of users can be far away; a lookup that takes longer has failed. In milliseconds. */
const LOOKUP_MS = 30_000;

/** What getent says with its exit status. */
const NOT_FOUND = 2;

/** The two databases, and which field of an entry has the id. */
const ID_FIELD = 2;
const PRIMARY_GROUP_FIELD = 3;
const MEMBERS_FIELD = 3;

type Database = 'passwd' | 'group';

/** A user: its id, and the groups that its processes have when it logs in, the primary one first. */
export interface UserAccount {
  readonly uid: number;
  readonly name: string | undefined;
  readonly groups: readonly number[];
}

/** The id of a user or group; undefined: there is none of that name, or, for a number, none of that id. */
export async function findId(kind: 'user' | 'group', account: string | number): Promise<number | undefined> {
  const entry = await findEntry(kind === 'user' ? 'passwd' : 'group', account);
  return entry === undefined ? undefined : Number(entry[ID_FIELD]);
}

/** A user with its groups. Undefined: there is none of that name or id. */
export async function findUser(account: string | number): Promise<UserAccount | undefined> {
  const entry = await findEntry('passwd', account);
  if (entry === undefined) return undefined;
  const [name = ''] = entry;
  const primary = Number(entry[PRIMARY_GROUP_FIELD]);
  return { uid: Number(entry[ID_FIELD]), name, groups: [...new Set([primary, ...(await groupsOf(name))])] };
}

/** The fields of an entry. */
async function findEntry(database: Database, key: string | number): Promise<string[] | undefined> {
  const line = await ask('getent', [database, String(key)], () => searchFile(database, key));
  const fields = line?.trimEnd().split(':');
  return /^\d+$/.test(fields?.[ID_FIELD] ?? '') ? fields : undefined;
}

async function groupsOf(user: string): Promise<number[]> {
  const text = await ask('id', ['-G', '--', user], () => searchMemberships(user));
  return (text ?? '')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number);
}

/** What a program prints; undefined when it says that there is none. Where there is no such program, `otherwise` decides. */
async function ask(
  program: string,
  words: readonly string[],
  otherwise: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return (await execute(program, words, { timeout: LOOKUP_MS })).stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return await otherwise();
    if (code === NOT_FOUND) return undefined;
    throw new CommandError(
      'ERR_SEALANE_CLI_ACCOUNTS',
      EXIT.failure,
      `\`${program} ${words.join(' ')}\` failed (${String(code)}): ${stderr?.trim() || 'it said nothing'}`,
      'see whether the directory of users answers, or name users and groups by their ids',
    );
  }
}

async function searchFile(database: Database, key: string | number): Promise<string | undefined> {
  const field = typeof key === 'number' ? ID_FIELD : 0;
  return (await linesOf(database)).find((line) => line.split(':')[field] === String(key));
}

async function searchMemberships(user: string): Promise<string> {
  const entries = (await linesOf('group')).map((line) => line.split(':'));
  const own = entries.filter((fields) => fields[MEMBERS_FIELD]?.split(',').includes(user));
  return own.map((fields) => fields[ID_FIELD]).join(' ');
}

async function linesOf(database: Database): Promise<string[]> {
  return (await readFile(`/etc/${database}`, 'utf8')).split('\n');
}
