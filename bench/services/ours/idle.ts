// What services cost that nobody uses: a publisher in one process, a subscriber in another.
import type { Context } from '../../harness/suite.js';
import { Crowd, openPorts } from './crowd.js';
import type { PortKind } from './crowd-role.js';
import type { OwnFigure } from './index.js';
import { costOfEach } from './memory.js';

const SERVICES = 100;
/** Opened before the first look: code and tables are there already. */
const WARMUP = 20;
const KIB = 1024;

function portsOf(from: number, count: number, kind: PortKind) {
  return Array.from({ length: count }, (_, index) => ({ node: 0, service: `idle ${from + index}`, kind }));
}

export async function measureIdle(context: Context): Promise<OwnFigure[]> {
  await using crowd = new Crowd();
  const sender = await crowd.start('client', 1);
  const receiver = await crowd.start('broker', 1);
  const open = async (from: number, count: number): Promise<void> => {
    context.progress(`opening ${count} services`);
    await openPorts(sender, portsOf(from, count, 'publisher'));
    await openPorts(receiver, portsOf(from, count, 'subscriber'));
    await crowd.connected();
  };
  await open(0, WARMUP);
  const before = await crowd.cost();
  await open(WARMUP, SERVICES);
  const each = costOfEach(before, await crowd.cost(), SERVICES);
  const more = {
    'shared KiB': each.sharedBytes / KIB,
    'heap KiB': each.heapBytes / KIB,
    'virtual KiB': each.virtualBytes / KIB,
    descriptors: each.descriptors,
  };
  return [{ value: each.pssBytes / KIB, unit: 'KiB a service', more }];
}
