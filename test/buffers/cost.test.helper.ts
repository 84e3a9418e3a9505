// Sends and receives frames of a pool while it is watched from outside: what it does between two odd system calls is what frames cost.
import { existsSync } from 'node:fs';
import { Node } from 'sealane';
import { loop, planesOf, service } from './loop.test.helper.js';

const [, , directory = '', frames = ''] = process.argv;
await using node = await Node.create({ name: 'cost', directory });
const { pool, subscriber } = await service(node, planesOf(4));
loop(pool, subscriber, 200_000);
existsSync('/sealane-begin');
loop(pool, subscriber, Number(frames));
existsSync('/sealane-end');
