// Rows of latencies: one-way times, half of the round trips that the sides measure.
import type { Interleaved } from '../harness/interleave.js';
import { makeRow, type Row, type Target } from '../harness/row.js';

/** Our side's name, in interleaved runs and in histograms. */
export const OURS = 'sealane';

/** From nanoseconds of a round trip to microseconds one way. */
export function oneWayUs(nanoseconds: number): number {
  return nanoseconds / 2 / 1000;
}

export interface Compared {
  readonly id: string;
  readonly result: Interleaved;
  /** Names in `result`; a side that is missing there leaves its figures out. */
  readonly ours: string;
  readonly peer: string;
  /** The peer in words, for the table. */
  readonly to: string;
  readonly target?: Target;
  readonly more?: Readonly<Record<string, number>>;
}

function peerFigures(compared: Compared): Readonly<Record<string, number>> {
  if (!compared.result.has(compared.peer)) return {};
  const { p50, p99, p999 } = compared.result.summary(compared.peer);
  return { peer: p50, peerP99: p99, peerP999: p999 };
}

function ourFigures(compared: Compared): Readonly<Record<string, number>> {
  if (!compared.result.has(compared.ours)) return {};
  const { p99, p999 } = compared.result.summary(compared.ours);
  return { p99, p999 };
}

/** The row of ours against the peer, by the medians within each round, with both sides' histograms. */
export function latencyRow(compared: Compared): Row {
  const { result, ours, peer } = compared;
  const sides = [
    [OURS, ours],
    [peer, peer],
  ].filter(([, name = '']) => result.has(name));
  const both = sides.length === 2;
  return makeRow({
    id: compared.id,
    value: result.has(ours) ? result.summary(ours).p50 : Number.NaN,
    unit: 'us',
    ...(both ? { ratio: result.ratio(ours, peer) } : {}),
    ...(result.has(peer) ? { to: compared.to } : {}),
    ...(compared.target === undefined ? {} : { target: compared.target }),
    more: { ...ourFigures(compared), ...peerFigures(compared), ...compared.more },
    histograms: Object.fromEntries(sides.map(([shown, name = '']) => [shown, result.histogram(name)])),
  });
}
