// Descriptors that should not be: too many, with messages that carry none, of every kind that is no blob, with every set of seals that does not do.
import { closeSync, constants, existsSync, openSync, readdirSync } from 'node:fs';
import {
  encodeRequest,
  Memfd,
  type Request,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
  UnixSocket,
} from 'sealane/internal';
import { type Attack, getByName, hello, type Kit, put, statusName } from '../attack.js';
import { type Crowd, crowdHindrance, sendCrowd } from '../crowd.js';

const BYTES = 4_096;

/** Most descriptors that the library sends in a packet: one more than a broker takes. */
const MOST_SENT = 5;

function content(kit: Kit): Memfd {
  return kit.keep('content', () => Memfd.sealed('attack', new Uint8Array(BYTES)));
}

/** One to five descriptors with a request that carries none, or a put, which carries one. */
async function flood(kit: Kit): Promise<void> {
  const connection = await kit.held();
  if (connection === undefined) return;
  const { fd } = content(kit);
  const count = 1 + (kit.turn % MOST_SENT);
  const descriptors = Array<number>(count).fill(fd);
  if (count === 1 || kit.turn % 2 === 0) await connection.provoke(getByName('none'), descriptors);
  else await connection.provoke(put('many', BYTES), descriptors);
}

/** Memfds with every set of seals that lacks one of the four that a blob must have. */
function wronglySealed(): number[] {
  const seals = [SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE, SEAL_FUTURE_WRITE];
  const fds: number[] = [];
  for (let set = 0; set < 1 << seals.length; set++) {
    const chosen = seals.filter((_, index) => (set & (1 << index)) !== 0);
    if ([SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE].every((seal) => chosen.includes(seal))) continue;
    const memfd = Memfd.create('attack', BYTES);
    // SEAL_SEAL comes last: after it none can be added.
    for (const seal of chosen.reverse()) memfd.seal(seal);
    fds.push(memfd.fd);
  }
  return fds;
}

/** Everything of /proc/self and /dev that opens without blocking, and more that is no memfd. */
function noMemfds(): number[] {
  const paths = [
    '/',
    '/dev/null',
    '/dev/zero',
    '/dev/full',
    '/etc/passwd',
    '/proc/self/ns/mnt',
    '/proc/self/fd',
  ];
  for (const name of readdirSync('/proc/self')) paths.push(`/proc/self/${name}`);
  const fds: number[] = UnixSocket.pair().map(({ fd }) => fd);
  for (const path of paths) {
    try {
      fds.push(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    } catch {
      // Some of /proc/self is root's.
    }
  }
  return fds;
}

async function offer(kit: Kit, name: string, make: () => number[]): Promise<void> {
  const fds = kit.keep(name, make);
  const connection = await kit.held();
  await connection?.provoke(put('wrong', BYTES), [fds[kit.turn % fds.length] ?? 0]);
}

/** A socket in whose queue it lies itself: the kernel frees it only by looking for such cycles. */
async function offerCycle(kit: Kit): Promise<void> {
  const [one, other] = UnixSocket.pair();
  const byte = new Uint8Array(1);
  one.send(byte, [one.fd, other.fd]);
  other.send(byte, [one.fd, other.fd]);
  const connection = await kit.held();
  await connection?.provoke(put('cycle', BYTES), [one.fd]);
  one.close();
  other.close();
}

/** A memfd that can be read, opened anew in a way that it can't. */
function writeOnly(): number[] {
  const memfd = Memfd.create('attack', BYTES);
  const fd = openSync(`/proc/self/fd/${memfd.fd}`, constants.O_WRONLY);
  const directory = openSync('/tmp', constants.O_RDONLY | constants.O_DIRECTORY);
  closeSync(directory);
  return [fd];
}

/** Puts with more descriptors than a packet may have, and of kinds that Node.js can't open. */
async function sendOdd(kit: Kit, kind: Crowd['kind'], counts: readonly number[]): Promise<void> {
  kit.attempts++;
  const greeting = encodeRequest({ ...hello(), requestId: 1 } as Request);
  const packet = encodeRequest({ ...put('crowd', BYTES), requestId: 2 } as Request);
  const count = counts[kit.turn % counts.length] ?? 1;
  const answers = await sendCrowd({ socket: kit.socket, type: 'packet', greeting, packet, kind, count });
  for (const answer of answers) kit.saw(answer === undefined ? 'closed' : statusName(answer));
}

export const DESCRIPTORS: readonly Attack[] = [
  {
    name: 'descriptor floods',
    what: 'One to five descriptors with requests that carry none, and with puts, which carry one.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    round: flood,
  },
  {
    name: 'descriptor crowds',
    what: 'Puts with up to 253 descriptors, the most that the kernel takes in a packet.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    hindrance: crowdHindrance,
    round: (kit) => sendOdd(kit, 'memfd', [0, 2, 5, 6, 100, 253]),
  },
  {
    name: 'descriptors of paths',
    what: 'Memfds that were opened with O_PATH, which can be looked at and not read.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    hindrance: crowdHindrance,
    round: (kit) => sendOdd(kit, 'path', [1]),
  },
  {
    name: 'huge pages',
    what: 'Sealed memfds of huge pages, whose reader the kernel can kill.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    hindrance: () =>
      crowdHindrance() ?? (existsSync('/sys/kernel/mm/hugepages') ? undefined : 'no huge pages here'),
    round: (kit) => sendOdd(kit, 'huge', [1]),
  },
  {
    name: 'lingering sockets',
    what: 'Sockets whose last close waits for ever, and sockets in whose queues such ones lie.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    hindrance: crowdHindrance,
    round: (kit) => sendOdd(kit, kit.turn % 2 === 0 ? 'nested' : 'linger', [100]),
  },
  {
    name: 'wrong seals',
    what: 'Memfds with each set of seals that lacks one of WRITE, GROW, SHRINK and SEAL.',
    roles: ['own', 'admitted'],
    expected: ['notSealed'],
    round: (kit) => offer(kit, 'seals', wronglySealed),
  },
  {
    name: 'no memfds',
    what: 'Sockets, directories, devices, name spaces and the files of /proc as objects.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    round: (kit) => offer(kit, 'kinds', noMemfds),
  },
  {
    name: 'unreadable memfds',
    what: 'Memfds that were opened for writing only.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    round: (kit) => offer(kit, 'unreadable', writeOnly),
  },
  {
    name: 'socket cycles',
    what: 'Sockets that lie in their own queues, as objects: the kernel must search for them to free them.',
    roles: ['own', 'admitted'],
    expected: ['wrongDescriptor'],
    round: offerCycle,
  },
];
