// A consumer that gets each payload as one message over the IPC channel of child_process.

import { READY } from './children.js';
import { Pass } from './pass.js';

process.on('message', (payload: Uint8Array) => {
  process.send?.(new Pass().take(payload));
});
process.once('disconnect', () => process.exit(0));
process.send?.(READY);
