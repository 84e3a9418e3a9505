/**
 * The form of a policy file: TOML, and the tables and keys that there are. Whether names of users mean anybody is not decided here.
 * Trusts nothing in the text. Pure.
 */
import { NamePattern } from 'sealane/internal';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { parseSize } from '../terminal/units.js';
import { locate, type Position, pathText } from './positions.js';
import { type Problem, problemAt } from './problems.js';

/** The greatest user or group id: 2^32 - 1 means none. */
const MAX_ID = 4_294_967_294;

/** Lists of lists do not occur; the parser goes no deeper for those who write them. */
const MAX_DEPTH = 8;

/** Longest value that a message repeats. */
const SHOWN_CHARACTERS = 80;

const RIGHTS = ['put', 'get', 'list', 'drop'] as const;

/** What a message says after the name of the value. */
function must(what: string): (issue: v.BaseIssue<unknown>) => string {
  return ({ input }) => `must ${what}${shown(input)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return '';
  const text = JSON.stringify(value) ?? String(value);
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
  return `; it is ${cut}`;
}

function table<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries).join(', ');
  return v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return `is not known here: there are ${known}`;
    if (issue.expected !== 'Object') return 'is missing';
    return `must be a table${shown(issue.input)}`;
  });
}

function list<const Item extends v.GenericSchema>(item: Item) {
  return v.pipe(v.array(item, must('be a list')), v.minLength(1, must('not be empty')));
}

/** Tables under double brackets. */
function tables<const Item extends v.GenericSchema>(name: string, item: Item) {
  return v.optional(
    v.array(item, () => `must be written [[${name}]], with two brackets`),
    [],
  );
}

const id = v.pipe(
  v.number(),
  v.integer(must('be a whole number')),
  v.minValue(0, must(`be an id from 0 to ${MAX_ID}`)),
  v.maxValue(MAX_ID, must(`be an id from 0 to ${MAX_ID}`)),
);

/** Lookups and their programs give other characters a meaning. */
const accountName = v.pipe(
  v.string(),
  v.regex(
    /^[^\p{Cc}:,/]+$/u,
    must('be the name of an account, which has no colon, comma, slash or control character'),
  ),
  v.check((name) => !name.startsWith('-'), must('be the name of an account, which begins with no dash')),
  v.check((name) => !/^\d+$/.test(name), must('be a name; an id is written without quotes')),
);

const account = v.union([id, accountName], must('be a name in quotes, or an id'));

const pattern = v.pipe(
  v.string(must('be a text in quotes')),
  v.check(isPattern, must('be a pattern of 1 to 1,024 bytes')),
);

const amount = v.pipe(
  v.number(must('be a whole number')),
  v.integer(must('be a whole number')),
  v.minValue(0, must('not be negative')),
);

const size = v.union(
  [
    amount,
    v.pipe(
      v.string(),
      v.transform(parseSize),
      v.number(must('be a size such as 1048576, "512KiB" or "1GiB"')),
    ),
  ],
  must('be a size such as 1048576, "512KiB" or "1GiB"'),
);

const subject = {
  everyone: v.optional(v.boolean(must('be true or false'))),
  users: v.optional(list(account)),
  groups: v.optional(list(account)),
  cgroups: v.optional(list(pattern)),
};

type Given = Readonly<Partial<Record<'everyone' | 'users' | 'groups' | 'cgroups' | 'jobs', unknown>>>;

/** Who is meant has to be said: an entry that lost its users must not mean everyone. */
function meansSomebody({ everyone, users, groups, cgroups, jobs }: Given): boolean {
  const given = [users, groups, cgroups, jobs].some((value) => value !== undefined);
  return (everyone === true) !== given;
}

const WHO = () => 'must say who is meant: everyone = true alone, or users, groups, cgroups';
const WHO_OR_JOBS = () => 'must say who is meant: everyone = true alone, or users, groups, cgroups, jobs';

const schema = table({
  admit: tables(
    'admit',
    v.pipe(
      table(subject),
      v.check((entry) => meansSomebody(entry), WHO),
    ),
  ),
  job: tables(
    'job',
    v.pipe(
      table({ ids: list(pattern), ...subject }),
      v.check((entry) => meansSomebody(entry), WHO),
    ),
  ),
  grant: tables(
    'grant',
    v.pipe(
      table({
        names: list(pattern),
        may: list(v.picklist(RIGHTS, must(`be one of ${RIGHTS.join(', ')}`))),
        jobs: v.optional(list(pattern)),
        ...subject,
      }),
      v.check((entry) => meansSomebody(entry), WHO_OR_JOBS),
    ),
  ),
  quota: tables(
    'quota',
    v.pipe(
      table({
        users: v.optional(list(account)),
        groups: v.optional(list(account)),
        jobs: v.optional(list(pattern)),
        objects: v.optional(amount),
        bytes: v.optional(size),
        records: v.optional(size),
      }),
      v.check(
        ({ users, groups, jobs }) => [users, groups, jobs].filter((kind) => kind !== undefined).length === 1,
        () => 'must have exactly one of users, groups and jobs',
      ),
    ),
  ),
});

/** A policy as the file has it: users and groups by name or id. */
export type PolicyDocument = v.InferOutput<typeof schema>;

/** A user or a group, as the file has it. */
export type Account = v.InferOutput<typeof account>;

/** A document, or what is wrong with it. */
export interface ParsedPolicy {
  readonly document: PolicyDocument | undefined;
  readonly problems: readonly Problem[];
  readonly positions: ReadonlyMap<string, Position>;
}

/** Parses the text of a policy file. Never throws for what is in it. */
export function parsePolicy(text: string): ParsedPolicy {
  let value: unknown;
  try {
    value = parse(text, { maxDepth: MAX_DEPTH, unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    return { document: undefined, problems: [syntaxProblem(error)], positions: new Map() };
  }
  const positions = locate(text);
  const result = v.safeParse(schema, value);
  if (result.success) return { document: result.output, problems: [], positions };
  const problems = result.issues.map((issue) => {
    const at = pathText((issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key))));
    return problemAt('error', at, issue.message, positions);
  });
  return { document: undefined, problems, positions };
}

/** The first line of the parser's message says what; the rest shows where, which the position says. */
function syntaxProblem(error: unknown): Problem {
  if (!(error instanceof TomlError)) throw error;
  const [message = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
  const position = { line: error.line, column: error.column };
  return { severity: 'error', position, message: `no TOML: ${message}` };
}

function isPattern(text: string): boolean {
  try {
    new NamePattern(text);
    return true;
  } catch {
    return false;
  }
}
