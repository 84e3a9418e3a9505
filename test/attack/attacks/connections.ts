// Connections for their own sake: idle by the thousand, made and closed as fast as it goes, of users who may not.
import { type Attack, type Connection, hello, type Kit } from '../attack.js';

/** Connections that an attacking process holds at most. With its two processes, some thousands. */
const MOST_HELD = 2_000;

/** Every so manieth connection says hello, to hear what the broker makes of it. */
const HEARD = 20;

/** Opens another connection that says nothing. Over the broker's limit, some ask why. */
async function holdIdle(kit: Kit): Promise<void> {
  const held = kit.keep<Connection[]>('idle', () => []);
  const connection = await kit.connect();
  if (connection === undefined) return;
  if (kit.turn % HEARD === HEARD - 1) {
    await connection.provoke(hello());
    connection.close();
    return;
  }
  held.push(connection);
  if (held.length > MOST_HELD) held.shift()?.close();
}

async function connectAndClose(kit: Kit): Promise<void> {
  for (let count = 0; count < 16; count++) (await kit.connect())?.close();
  const connection = await kit.open();
  if (connection !== undefined) kit.saw('ok');
  connection?.close();
}

async function ask(kit: Kit): Promise<void> {
  const connection = await kit.connect();
  if (connection === undefined) return;
  await connection.provoke(hello());
  connection.close();
}

export const CONNECTIONS: readonly Attack[] = [
  {
    name: 'idle connections',
    what: 'Two processes hold 2,000 connections each, which say nothing, and open new ones without end.',
    roles: ['own', 'admitted', 'stranger'],
    expected: [],
    possible: ['ok', 'limitExceeded', 'closed', 'untrusted'],
    processes: 2,
    round: holdIdle,
  },
  {
    name: 'connect and close',
    what: 'Connections that are closed at once, as fast as the kernel makes them.',
    roles: ['own', 'admitted'],
    expected: ['ok'],
    possible: ['limitExceeded', 'closed'],
    round: connectAndClose,
  },
  {
    name: 'strangers',
    what: 'A user who is not admitted connects and asks, over and over.',
    roles: ['stranger'],
    expected: ['untrusted'],
    processes: 2,
    round: ask,
  },
];
