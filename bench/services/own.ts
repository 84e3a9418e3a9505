// Figures of ours that are compared with nothing: memory, discovery, and many at once.
import { makeRow, type Row } from '../harness/row.js';
import { type Context, type Measurement, Skipped } from '../harness/suite.js';
import { ours } from './ours/index.js';

type Figure = 'idle' | 'discovery' | 'scale';

interface Description {
  /** The parts that have rows of their own. */
  readonly parts: readonly string[];
  readonly about: string;
}

const IDLE = `
A publisher in one process and a subscriber in another, connected, with the default settings, and nothing is ever sent. The
figure is what the proportional set size (Pss) of both processes together grows by with 100 such services, divided by 100,
after a garbage collection in each; "shared" is the part of it that is memory of both, "heap" are live objects of JavaScript.
V8 takes memory and gives it back in steps, so that the figure can be less than its parts. What the kernel keeps for sockets,
files and mappings is in nobody's set. "virtual" are addresses: the room for samples that were never sent.
`;

const DISCOVERY = `
Two processes, a core each. One has a port of a service; the other, which has the service open, makes the port that it
lacks. The clock starts before \`service.subscriber()\` or \`service.publisher()\` and stops when \`connected()\` has resolved: the
port is announced in the file system, the peer saw it (inotify), both have shaken hands, and all memory is mapped.
services.discovery.PORT: which of both comes second; the first sleeps in its event loop. With .polled the first one calls
\`receive()\`, or sends, in a loop in which its event loop never turns; control is then served every 2 ms. "With a new node"
starts the clock before \`Node.create\`, and the service is opened by that node as well.
`;

const SCALE = `
100 nodes in four processes have 500 services open; each service has a publisher in one process and a subscriber in another.
The figure is the time in which two more nodes, both in one further process, open one more service, make a publisher and a
subscriber of it, and have them connected; "in an empty domain" is the same without the others. Setting all up starts with
processes that have no node yet and ends when all 500 pairs are connected, on all cores. Costs are those of the four
processes (Pss as in services.idle) divided by 100. From kill to clean: kill -9 of one process with its 25 nodes, until
all their files are gone, which \`listNodes\` removes, called again and again, unless a survivor that met the dead is doing so.
`;

const DESCRIPTIONS: Readonly<Record<Figure, Description>> = {
  idle: { parts: [], about: IDLE },
  discovery: {
    parts: ['subscriber', 'publisher', 'subscriber.polled', 'publisher.polled'],
    about: DISCOVERY,
  },
  scale: { parts: [], about: SCALE },
};

function idOf(figure: Figure, part?: string): string {
  return part === undefined ? `services.${figure}` : `services.${figure}.${part}`;
}

function measurementOf(figure: Figure): Measurement {
  const { parts, about } = DESCRIPTIONS[figure];
  const run = async (context: Context): Promise<Row[]> => {
    const measure = ours[figure];
    if (measure === undefined) throw new Skipped('our side is not there');
    const own = await measure(context);
    return own.map(({ part, ...rest }) => makeRow({ id: idOf(figure, part), ...rest }));
  };
  return { ids: parts.length === 0 ? [idOf(figure)] : parts.map((part) => idOf(figure, part)), about, run };
}

export const own: readonly Measurement[] = (['idle', 'discovery', 'scale'] as const).map(measurementOf);
