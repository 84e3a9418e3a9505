// `npm run bench:blobs`: the measurements of the blob bus, in the order of the table.
import { runSuite, type Suite } from '../harness/suite.js';
import { audit } from './audit.js';
import { deliver } from './deliver.js';
import { draft } from './draft.js';
import { get } from './get.js';
import { memfdbus } from './memfdbus.js';
import { memory } from './memory.js';
import { put } from './put.js';
import { requests } from './requests.js';

const suite: Suite = {
  title: 'Sealane blobs: benchmarks',
  command: 'npm run bench:blobs',
  seeAlso:
    'Those of the services: [benchmarks-services.md](benchmarks-services.md), of buffers and windows: [benchmarks-buffers.md](benchmarks-buffers.md).',
  measurements: [get, put, draft, deliver, requests, audit, memfdbus, memory],
};

await runSuite(suite, process.argv.slice(2));
