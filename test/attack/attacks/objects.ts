// Objects that cost: huge ones to be hashed, as many as the quota allows, short-lived ones, names of every kind.
import { BLOB_SEALS, encodeRequest, Memfd } from 'sealane/internal';
import { type Attack, type Connection, type Kit, put } from '../attack.js';

const TEBIBYTE = 2 ** 40;
const BYTES = 4_096;

/** Long enough for the object to be found, short enough that nothing of it stays long. */
const TTL_MS = 300;

/** Puts that are sent before their answers are read. */
const PIPELINED = 32;

function content(kit: Kit): Memfd {
  return kit.keep('content', () => Memfd.sealed('attack', new Uint8Array(BYTES)));
}

function sparse(kit: Kit, bytes: number): Memfd {
  return kit.keep(`sparse ${bytes}`, () => {
    const memfd = Memfd.create('sparse', bytes);
    memfd.seal(BLOB_SEALS);
    return memfd;
  });
}

/** A put of a tebibyte that must be hashed, and behind it one whose digest is wrong. Then the connection is closed, and all begins anew. */
async function demandDigests(kit: Kit): Promise<void> {
  const connection = await kit.open();
  if (connection === undefined) return;
  const huge = put('huge', TEBIBYTE, { contentAddressed: true, ttlMs: TTL_MS });
  await connection.push(connection.encode(huge), [sparse(kit, TEBIBYTE).fd]);
  await connection.provoke(put('small', BYTES, { digest: '0'.repeat(64), ttlMs: TTL_MS }), [content(kit).fd]);
  connection.close();
}

async function exceedSize(kit: Kit): Promise<void> {
  const connection = await kit.held();
  const huge = put('huge', 2 * TEBIBYTE, { contentAddressed: true, ttlMs: TTL_MS });
  await connection?.provoke(huge, [sparse(kit, 2 * TEBIBYTE).fd]);
}

/** Sends many, then reads what came of them. */
async function pipeline(
  kit: Kit,
  connection: Connection,
  make: (index: number) => Uint8Array,
): Promise<void> {
  const { fd } = content(kit);
  for (let index = 0; index < PIPELINED; index++) await connection.push(make(index), [fd]);
  for (let index = 0; index < PIPELINED; index++) {
    const outcome = await connection.receive();
    kit.saw(outcome);
    if (outcome === 'closed') return;
  }
}

async function fillQuota(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  await pipeline(kit, connection, (index) =>
    connection.encode(put(`flood/${index}`, BYTES, { ttlMs: TTL_MS })),
  );
}

async function expireSoon(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  await pipeline(kit, connection, (index) =>
    connection.encode(put(`soon/${index}`, BYTES, { ttlMs: 1 + ((kit.turn + index) % 20) })),
  );
}

/** A name with every byte value in turn: those that are no UTF-8 must be refused, all others taken. */
async function nameBytes(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  const message = encodeRequest({
    ...put('name-?', BYTES, { ttlMs: TTL_MS }),
    requestId: 1 + kit.turn,
  } as never);
  const at = message.lastIndexOf('?'.charCodeAt(0));
  message[at] = kit.turn % 256;
  await connection.provokeBytes(message, [content(kit).fd]);
  // What is no UTF-8 ends the connection.
  if (kit.turn % 256 >= 128) connection.close();
}

/** Names of 64 KiB, each a little different, and one byte more. */
async function longNames(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  const name = `${kit.turn}-`.padEnd(65_536, 'n');
  const body = encodeRequest({ ...put(name, BYTES, { ttlMs: TTL_MS }), requestId: 1 + kit.turn } as never);
  const header = body.slice(0, 16);
  header[6] = 1;
  using detached = Memfd.sealed('body', body.subarray(16));
  await connection.provokeBytes(header, [detached.fd, content(kit).fd]);
}

export const OBJECTS: readonly Attack[] = [
  {
    name: 'a tebibyte to hash',
    what: 'A sparse memfd of 1 TiB whose digest is demanded, on connection after connection.',
    roles: ['own', 'admitted'],
    expected: ['digestMismatch'],
    broker: ({ admitted, own }) => ({ ...usersOf(own, admitted), maxBytes: 64 * TEBIBYTE }),
    round: demandDigests,
  },
  {
    name: 'too large an object',
    what: 'A sparse memfd that is larger than the broker may hold.',
    roles: ['own', 'admitted'],
    expected: ['limitExceeded'],
    broker: ({ admitted, own }) => ({ ...usersOf(own, admitted), maxBytes: TEBIBYTE }),
    round: exceedSize,
  },
  {
    name: 'puts over the quota',
    what: 'Puts without end by a user who may have 200 objects.',
    roles: ['admitted'],
    expected: ['ok', 'limitExceeded'],
    broker: ({ admitted, own }) => ({ ...usersOf(own, admitted), maxObjectsPerUser: 200 }),
    round: fillQuota,
  },
  {
    name: 'objects that expire at once',
    what: 'Puts without end that live for 1 to 20 ms.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    possible: ['limitExceeded'],
    round: expireSoon,
  },
  {
    name: 'names of every byte',
    what: 'A name with each byte value in turn; what is not UTF-8 ends the connection.',
    roles: ['own', 'admitted'],
    expected: ['ok', 'badRequest'],
    possible: ['limitExceeded'],
    round: nameBytes,
  },
  {
    name: 'names of 64 KiB',
    what: 'Puts without end under names of the greatest length.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    possible: ['limitExceeded'],
    round: longNames,
  },
];

function usersOf(own: number, admitted: number): { users: number[] } {
  return { users: own === admitted ? [] : [admitted] };
}
