// `npm run bench:services`: the measurements of the services, in the order of the table.
import { runSuite, type Suite } from '../harness/suite.js';
import { event } from './event.js';
import { observed } from './observed.js';
import { own } from './own.js';
import { flat, grow, pingPong } from './pingpong.js';
import { fanout, throughput } from './throughput.js';
import { vs } from './vs.js';
import { wake } from './wake.js';

const suite: Suite = {
  title: 'Sealane services: benchmarks',
  command: 'npm run bench:services',
  seeAlso:
    'Those of the blobs: [benchmarks.md](benchmarks.md), of buffers and windows: [benchmarks-buffers.md](benchmarks-buffers.md).',
  measurements: [pingPong, flat, grow, observed, throughput, fanout, wake, event, vs, ...own],
};

await runSuite(suite, process.argv.slice(2));
