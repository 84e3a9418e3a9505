// How soon the second peer of a service is connected, while the first sleeps in its event loop, or never lets it turn.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Station } from '../../harness/station.js';
import { summarize } from '../../harness/statistics.js';
import type { Context } from '../../harness/suite.js';
import { Crowd, openPorts } from './crowd.js';
import type { Meeting, PortKind } from './crowd-role.js';
import type { OwnFigure } from './index.js';

const SERVICE = 'meeting';

interface Sides {
  readonly first: Station;
  readonly second: Station;
}

function other(kind: PortKind): PortKind {
  return kind === 'publisher' ? 'subscriber' : 'publisher';
}

async function meet({ first, second }: Sides, meeting: Meeting, polls: boolean): Promise<number[]> {
  if (!polls) return second.call('meet', meeting);
  const until = join(meeting.directory, 'until');
  const polling = first.call('poll', { until });
  try {
    return await second.call('meet', meeting);
  } finally {
    writeFileSync(until, '');
    await polling;
    rmSync(until);
  }
}

async function measure(context: Context, kind: PortKind, polls: boolean): Promise<OwnFigure> {
  await using crowd = new Crowd();
  const sides = { first: await crowd.start('client', 1), second: await crowd.start('broker', 0) };
  await openPorts(sides.first, [{ node: 0, service: SERVICE, kind: other(kind) }]);
  const part = polls ? `${kind}.polled` : kind;
  context.progress(part);
  const meeting = { directory: crowd.directory, service: SERVICE, kind };
  const count = context.quick ? 50 : 500;
  await meet(sides, { ...meeting, count: 20, fresh: true }, polls);
  const fresh = summarize(await meet(sides, { ...meeting, count, fresh: true }, polls));
  const { p50, p99, p999 } = summarize(await meet(sides, { ...meeting, count, fresh: false }, polls));
  const more = { p99, p999, 'with a new node': fresh.p50, 'with a new node, p99': fresh.p99 };
  return { part, value: p50, unit: 'us', more };
}

export async function measureDiscovery(context: Context): Promise<OwnFigure[]> {
  const figures: OwnFigure[] = [];
  for (const polls of [false, true]) {
    for (const kind of ['subscriber', 'publisher'] as const)
      figures.push(await measure(context, kind, polls));
  }
  return figures;
}
