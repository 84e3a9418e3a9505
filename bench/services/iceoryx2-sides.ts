// Adds iceoryx2's side to a measurement, or says why the measurement goes without it.
import { fetchPeer } from '../harness/peers.js';
import type { Context } from '../harness/suite.js';
import type { Started } from './started.js';

/** Its name in interleaved runs and in histograms. */
export const ICEORYX2 = 'iceoryx2';
/** Its name in the table. */
export const ICEORYX2_TITLE = 'iceoryx2 0.9 (Rust)';

export async function addIceoryx2<Side extends AsyncDisposable>(
  context: Context,
  started: Started<Side>,
  start: () => Promise<Side>,
): Promise<void> {
  context.progress('building iceoryx2, which takes minutes the first time');
  const failure = fetchPeer('iceoryx2');
  if (failure === undefined) started.add(ICEORYX2, await start());
  else context.leaveOut(ICEORYX2, failure);
}
