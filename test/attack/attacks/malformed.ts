// Messages that the protocol does not allow: halves, garbage, lies about themselves, and right ones at the wrong time.
import { decodeRequest, encodeRequest, Memfd, type Request } from 'sealane/internal';
import { type Attack, type Connection, hello, type Kit } from '../attack.js';

const BYTES = 4_096;

/** Every truncation is tried; a whole one would be a put. */
const WHOLE: Request = {
  type: 'put',
  requestId: 7,
  size: BYTES,
  name: 'half',
  contentAddressed: false,
  digest: 'a'.repeat(64),
  owner: 'owner',
  allowed: ['one', 'two'],
  ttlMs: 1_000,
  metadata: { key: 'value' },
};

function content(kit: Kit): Memfd {
  return kit.keep('content', () => Memfd.sealed('attack', new Uint8Array(BYTES)));
}

/** A connection of its own for something that ends it. */
async function onNew(
  kit: Kit,
  act: (connection: Connection) => Promise<void>,
  greeted = true,
): Promise<void> {
  const connection = greeted ? await kit.open() : await kit.connect();
  if (connection === undefined) return;
  try {
    await act(connection);
  } finally {
    connection.close();
  }
}

/** All truncations of a put, as they are cut and under a header that fits, but those that are still a message. */
function halves(): Uint8Array[] {
  const whole = encodeRequest(WHOLE);
  const all: Uint8Array[] = [];
  for (let length = 1; length < whole.length; length++) {
    const cut = whole.slice(0, length);
    all.push(cut);
    if (length < 16) continue;
    const fitting = cut.slice();
    new DataView(fitting.buffer).setUint32(0, length - 16, true);
    all.push(fitting);
  }
  return all.filter((bytes) => !isMessage(bytes));
}

function isMessage(bytes: Uint8Array): boolean {
  try {
    decodeRequest(bytes);
    return true;
  } catch {
    return false;
  }
}

function sendHalf(kit: Kit): Promise<void> {
  const all = kit.keep('halves', halves);
  const half = all[kit.turn % all.length] ?? new Uint8Array(1);
  return onNew(kit, (connection) => connection.provokeBytes(half, [content(kit).fd]));
}

function randomBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(Math.random() * 256));
}

/** Random bytes, or a random body under a header that is right. */
function sendGarbage(kit: Kit): Promise<void> {
  const bytes = randomBytes(kit.turn % 3 === 0 ? 60_000 : 16 + (kit.turn % 200));
  if (kit.turn % 2 === 1) {
    const header = new DataView(bytes.buffer);
    header.setUint32(0, bytes.length - 16, true);
    header.setUint32(4, 1 + (kit.turn % 10), true);
    header.setUint32(8, 5, true);
    header.setUint32(12, 0, true);
  }
  return onNew(kit, (connection) => connection.provokeBytes(bytes), kit.turn % 4 < 2);
}

/** A header whose body is said to lie in a descriptor, with descriptors that are no such body. */
function sendFalseBody(kit: Kit): Promise<void> {
  const header = encodeRequest({
    type: 'get',
    requestId: 9,
    selector: { by: 'name', name: 'a' },
    wait: false,
  });
  const detached = header.slice(0, 16);
  detached[6] = 1;
  const wrong = kit.keep('wrong bodies', () => [
    [],
    [content(kit).fd],
    [Memfd.create('unsealed', header.length - 16).fd],
    [0],
  ]);
  return onNew(kit, (connection) => connection.provokeBytes(detached, wrong[kit.turn % wrong.length] ?? []));
}

function sendBeforeHello(kit: Kit): Promise<void> {
  const requests: Request[] = [WHOLE, { type: 'status', requestId: 1 }];
  const request = requests[kit.turn % requests.length] ?? WHOLE;
  return onNew(
    kit,
    (connection) => connection.provokeBytes(encodeRequest(request), [content(kit).fd]),
    false,
  );
}

function sendWrongVersion(kit: Kit): Promise<void> {
  const versions = { minVersion: 2 + (kit.turn % 1_000), maxVersion: 0xffff };
  return onNew(kit, (connection) => connection.provoke({ ...hello(), ...versions } as never), false);
}

function sendSecondHello(kit: Kit): Promise<void> {
  return onNew(kit, (connection) => connection.provoke(hello()));
}

/** One number for many requests. */
function repeatNumber(kit: Kit): Promise<void> {
  const waiting = encodeRequest({
    type: 'get',
    requestId: 50,
    selector: { by: 'name', name: 'never there' },
    wait: true,
  });
  return onNew(kit, async (connection) => {
    await connection.push(waiting);
    await connection.provokeBytes(waiting);
    kit.saw(await connection.receive());
  });
}

export const MALFORMED: readonly Attack[] = [
  {
    name: 'half messages',
    what: 'Every truncation of a put with its descriptor, as cut and under a header that fits, each on a new connection.',
    roles: ['own', 'admitted'],
    expected: ['badRequest', 'closed'],
    round: sendHalf,
  },
  {
    name: 'garbage',
    what: 'Random packets of up to 60 kB, and random bodies under a right header, before and after the hello.',
    roles: ['own', 'admitted'],
    expected: ['badRequest', 'closed'],
    possible: ['notFound', 'wrongDescriptor', 'ok'],
    round: sendGarbage,
  },
  {
    name: 'false bodies',
    what: 'Messages whose body is said to lie in a descriptor that is missing, of another size, or unsealed.',
    roles: ['own', 'admitted'],
    expected: ['closed'],
    round: sendFalseBody,
  },
  {
    name: 'requests before the hello',
    what: 'Puts with a descriptor, and status requests, as the first message.',
    roles: ['own', 'admitted'],
    expected: ['badRequest'],
    round: sendBeforeHello,
  },
  {
    name: 'wrong versions',
    what: 'A hello that offers versions which do not exist.',
    roles: ['own', 'admitted'],
    expected: ['version'],
    round: sendWrongVersion,
  },
  {
    name: 'second hello',
    what: 'A hello on a connection that is open already.',
    roles: ['own', 'admitted'],
    expected: ['badRequest'],
    round: sendSecondHello,
  },
  {
    name: 'repeated request numbers',
    what: 'Two requests under one number, while the first is unanswered.',
    roles: ['own', 'admitted'],
    expected: ['closing', 'badRequest'],
    round: repeatNumber,
  },
];
