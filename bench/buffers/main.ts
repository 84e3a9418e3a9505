// `npm run bench:buffers`: the measurements of buffers and windows, in the order of the table.
import { runSuite, type Suite } from '../harness/suite.js';
import { fanout } from './fanout.js';
import { fd } from './fd.js';
import { map } from './map.js';
import { pool } from './pool.js';
import { socket } from './socket.js';

const suite: Suite = {
  title: 'Sealane buffers and windows: benchmarks',
  command: 'npm run bench:buffers',
  seeAlso:
    'Those of the blobs: [benchmarks.md](benchmarks.md), of the services: [benchmarks-services.md](benchmarks-services.md).',
  measurements: [fd, pool, socket, fanout, map],
};

await runSuite(suite, process.argv.slice(2));
