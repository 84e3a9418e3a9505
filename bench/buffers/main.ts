// `npm run bench:buffers`: the measurements of buffers and windows, in the order of the table.
import { runSuite, type Suite } from '../harness/suite.js';
import { map } from './map.js';

const suite: Suite = {
  title: 'Sealane buffers and windows: benchmarks',
  command: 'npm run bench:buffers',
  seeAlso:
    'Those of the blobs: [benchmarks.md](benchmarks.md), of the services: [benchmarks-services.md](benchmarks-services.md).',
  measurements: [map],
};

await runSuite(suite, process.argv.slice(2));
