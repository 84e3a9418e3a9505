// Requests that are allowed, in numbers and of kinds that cost the broker most.
import { FLAG_DETACHED, HEADER_BYTES, Memfd } from 'sealane/internal';
import {
  type Attack,
  type Call,
  type ChosenOptions,
  type Connection,
  getByName,
  type Kit,
  put,
  watchFor,
} from '../attack.js';

const BYTES = 4_096;
const TTL_MS = 500;

/** Requests that are sent on a connection before answers are read, and a broker's own limit. */
const PIPELINED = 64;

/** Connections of a process that floods. */
const FLOODING = 64;

/** Nearly as many as a user may have. */
const MOST_CONNECTIONS = 400;

/** Patterns that make a matcher look at every place of a name again. */
const COSTLY = 'n*n*n*n*n*n*n*n*n*n*n*n*n*n*n*n*x';

/** A name of nearly the greatest length that fits a packet. */
const LONG = 'n'.repeat(60_000);

function content(kit: Kit): Memfd {
  return kit.keep('content', () => Memfd.sealed('attack', new Uint8Array(BYTES)));
}

/** Keeps many connections busy with one request: answers are read, and each makes room for the next. */
async function flood(kit: Kit, call: (index: number) => Call): Promise<void> {
  for (let index = 0; index < FLOODING; index++) {
    const connection = await kit.held(`flood ${index}`);
    if (connection === undefined) continue;
    takeAll(kit, connection);
    sendAll(kit, connection, () => call(index));
  }
}

function takeAll(kit: Kit, connection: Connection): void {
  for (let outcome = connection.take(); outcome !== undefined; outcome = connection.take()) {
    kit.saw(outcome);
    connection.due--;
    if (connection.ended) return;
  }
}

function sendAll(kit: Kit, connection: Connection, call: () => Call): void {
  while (connection.due < PIPELINED) {
    if (connection.send(connection.encode(call())) !== 'sent') return;
    kit.attempts++;
    connection.due++;
  }
}

/** Keeps something there to be found by those who ask for it: puts it anew before it expires. */
async function present(kit: Kit, names: readonly string[]): Promise<void> {
  const last = kit.keep('presented', () => ({ ms: Number.NEGATIVE_INFINITY }));
  if (performance.now() - last.ms < TTL_MS / 2) return;
  last.ms = performance.now();
  const connection = await kit.held('publisher');
  for (const name of names) await connection?.call(put(name, BYTES, { ttlMs: TTL_MS }), [content(kit).fd]);
}

async function listAll(kit: Kit): Promise<void> {
  await present(
    kit,
    Array.from({ length: 200 }, (_, index) => `listed/${index}`),
  );
  await flood(kit, () => ({ type: 'list', after: 0, limit: 1_000, digests: false }));
}

async function listByPattern(kit: Kit): Promise<void> {
  await present(
    kit,
    Array.from({ length: 50 }, (_, index) => `${LONG}${index}`),
  );
  await flood(kit, () => ({ type: 'list', pattern: COSTLY, after: 0, limit: 1_000, digests: false }));
}

/** Asks for an object on many connections, and never reads what comes. The connections are closed when they are stuck. */
async function getUnread(kit: Kit): Promise<void> {
  await present(kit, ['wanted']);
  for (let index = 0; index < FLOODING; index++) {
    const connection = await kit.held(`unread ${index}`);
    if (connection === undefined) return;
    for (;;) {
      kit.attempts++;
      if (connection.send(connection.encode(getByName('wanted'))) !== 'sent') break;
    }
    kit.saw('stuck');
    if (kit.turn % 4 === 3) connection.close();
  }
}

/**
 * Many connections ask for an object and read no answer: each answer keeps a descriptor under way, of which the broker's user may have as many as
 * the broker may have open (RLIMIT_NOFILE).
 */
async function fillFlight(kit: Kit): Promise<void> {
  await present(kit, ['wanted']);
  for (let index = 0; index < MOST_CONNECTIONS; index++) {
    const connection = await kit.held(`flight ${index}`);
    if (connection === undefined) return;
    for (let count = 0; count < PIPELINED; count++) {
      kit.attempts++;
      if (connection.send(connection.encode(getByName('wanted'))) !== 'sent') {
        kit.saw('stuck');
        break;
      }
    }
  }
}

/** Messages of nearly the greatest size: a put that allows as many jobs as fit, which is more than it may. */
async function sendLarge(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  const { header, body } = kit.keep('large', () => {
    const allowed = Array.from({ length: 3_700 }, (_, index) => `${index}`.padEnd(256, 'j'));
    const message = connection.encode(put('large', BYTES, { owner: 'large', allowed }));
    const head = message.slice(0, HEADER_BYTES);
    head[6] = FLAG_DETACHED;
    return { header: head, body: Memfd.sealed('large', message.subarray(HEADER_BYTES)) };
  });
  for (let count = 0; count < 4; count++) {
    // A number that no unanswered request has.
    new DataView(header.buffer).setUint32(8, 1_000_000 + ((4 * kit.turn + count) % 1_000_000), true);
    await connection.push(header, [body.fd, content(kit).fd]);
  }
  for (let count = 0; count < 4; count++) kit.saw(await connection.receive());
}

/** 64 watches with costly patterns on each of several connections, and names of 60 kB for them to be compared with. */
async function watchCostly(kit: Kit): Promise<void> {
  for (let index = 0; index < 8; index++) {
    const connection = await kit.held(`watcher ${index}`);
    if (connection === undefined || connection.due > 0) continue;
    connection.due = 1;
    for (let count = 0; count < PIPELINED; count++) {
      const outcome = await connection.call(watchFor(`${COSTLY}${count}`, count % 2 === 0));
      if (outcome !== 'ok') kit.saw(outcome);
    }
  }
  const publisher = await kit.held('publisher');
  await publisher?.provoke(put(`${LONG}${kit.turn % 10}`, BYTES, { ttlMs: TTL_MS }), [content(kit).fd]);
}

/** Watches every version, asks for the next one, and reads no answer, while versions come. */
async function watchUnread(kit: Kit): Promise<void> {
  for (let index = 0; index < FLOODING; index++) {
    const connection = await kit.held(`unread ${index}`);
    if (connection === undefined || connection.due > 0) continue;
    connection.due = 1;
    for (let count = 0; count < PIPELINED; count++) connection.send(connection.encode(watchFor('*', true)));
    for (let watch = 2; watch < PIPELINED; watch++)
      connection.send(connection.encode({ type: 'next', watch }));
  }
  const publisher = await kit.held('publisher');
  await publisher?.provoke(put(`version/${kit.turn % 10}`, BYTES, { ttlMs: TTL_MS }), [content(kit).fd]);
}

/** Acts under the job of the well-behaved client. */
async function forgeJob(kit: Kit): Promise<void> {
  const connection = await kit.open('victim');
  if (connection === undefined) return;
  kit.saw('ok');
  connection.close();
}

/** Acts under its own job, which is granted nothing of the client's. */
async function reachOver(kit: Kit): Promise<void> {
  const connection = await kit.held('reach', 'attacker');
  const calls: Call[] = [
    getByName('victim/1'),
    put('victim/1', BYTES, { owner: 'victim' }),
    { type: 'drop', selector: { by: 'name', name: 'victim/1' } },
    { type: 'drop', selector: { by: 'id', id: kit.turn + 1 } },
  ];
  const call = calls[kit.turn % calls.length] ?? getByName('victim/1');
  await connection?.provoke(call, call.type === 'put' ? [content(kit).fd] : []);
}

/** Each job is bound to its user, and may do everything under names of its own. */
function policyFor({ own, admitted }: { own: number; admitted: number }): ChosenOptions {
  const may = ['put', 'get', 'list', 'drop'] as const;
  const jobs = [
    { ids: ['victim'], users: [own] },
    { ids: ['attacker'], users: [admitted] },
  ];
  const grants = jobs.map(({ ids, users }) => ({ users, jobs: ids, names: ids.map((id) => `${id}/*`), may }));
  return { policy: { admit: [{ users: [admitted] }], jobs, grants } };
}

export const REQUESTS: readonly Attack[] = [
  {
    name: 'request floods',
    what: '64 connections keep 64 status requests each unanswered.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    round: (kit) => flood(kit, () => ({ type: 'status' })),
  },
  {
    name: 'list floods',
    what: '64 connections keep 64 lists of 200 objects each unanswered.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    round: listAll,
  },
  {
    name: 'costly lists',
    what: '64 connections ask for lists by a pattern of 16 asterisks, among names of 60 kB.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    round: listByPattern,
  },
  {
    name: 'costly watches',
    what: '8 connections with 64 watches each by patterns of 16 asterisks, and puts under names of 60 kB.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    possible: ['limitExceeded'],
    round: watchCostly,
  },
  {
    name: 'unread answers',
    what: '64 connections send gets until nothing more fits, and never read an answer.',
    roles: ['own', 'admitted'],
    expected: ['stuck'],
    round: getUnread,
  },
  {
    name: 'messages of a mebibyte',
    what: 'Puts that allow 3,700 jobs with ids of 256 bytes, of which 1,024 are too many.',
    roles: ['own', 'admitted'],
    expected: ['limitExceeded'],
    round: sendLarge,
  },
  {
    name: 'descriptors under way',
    what: '400 connections send gets until nothing more fits, read no answer, and stay.',
    roles: ['own', 'admitted'],
    expected: ['stuck'],
    round: fillFlight,
  },
  {
    name: 'unread watches',
    what: '64 connections with 64 watches of every version each, whose answers nobody reads, while versions come.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    round: watchUnread,
  },
  {
    name: 'forged job ids',
    what: 'Under a policy, another user says that it acts under the job of the well-behaved client.',
    roles: ['admitted'],
    expected: ['accessDenied'],
    broker: policyFor,
    victimJob: 'victim',
    round: forgeJob,
  },
  {
    name: 'reaching over',
    what: 'Under a policy, another user gets, puts and drops what belongs to the job of the well-behaved client.',
    roles: ['admitted'],
    expected: ['notFound', 'accessDenied'],
    broker: policyFor,
    victimJob: 'victim',
    round: reachOver,
  },
];
