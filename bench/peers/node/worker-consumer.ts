// A consumer that is a worker thread: gets a copy of each payload by message.
import { parentPort } from 'node:worker_threads';
import { Pass } from './pass.js';

parentPort?.on('message', (payload: Uint8Array) => {
  parentPort?.postMessage(new Pass().take(payload));
});
parentPort?.postMessage('ready');
