// Figures of ours that are compared with nothing: memory, discovery, and many at once.
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { type OwnFigure, ours } from './ours/index.js';

type Figure = 'idle' | 'discovery' | 'scale';

const ABOUT: Readonly<Record<Figure, string>> = {
  idle: 'The memory of a service with a publisher and a subscriber that nobody uses.',
  discovery: 'The time from the second peer of a service being created until both are connected.',
  scale: '500 services and 100 nodes in one domain.',
};

function measurementOf(figure: Figure): Measurement {
  const id = `services.${figure}`;
  const run = async (context: Context): Promise<Row[]> => {
    const measure = ours[figure];
    if (measure === undefined) throw new Skipped('our side is not there');
    const own: OwnFigure = await measure(context);
    return [makeRow({ id, ...own })];
  };
  return { ids: [id], about: ABOUT[figure], run };
}

export const own: readonly Measurement[] = (['idle', 'discovery', 'scale'] as const).map(measurementOf);
