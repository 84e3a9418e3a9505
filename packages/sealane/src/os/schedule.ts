/** The processor of this thread: giving it away for a moment, for those who look again and again. */
import { addon } from '../native/addon.js';

/**
 * Lets other threads that want to run have this processor first (sched_yield(2)); returns at once where there are none. For a loop that
 * waits for what another process does: on a machine with fewer processors than such loops, the other may otherwise not run for long.
 */
export function yieldProcessor(): void {
  addon().scheduleYield();
}
