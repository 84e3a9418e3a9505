/**
 * What a service manager tells a service in its environment: where to report to (sd_notify(3)), how often (sd_watchdog_enabled(3)).
 * Owns the reading of these variables, and removes them: processes that the service starts must not report in its name.
 */
import { usageError } from '../failure.js';

/** How the service manager wants to hear of us. */
export interface ServiceEnvironment {
  /** Where to report to, as the service manager wrote it; undefined: nobody wants to know. */
  notifySocket: string | undefined;
  /** The service manager acts when it has heard nothing for so long, in milliseconds; undefined: it does not wait. */
  watchdogMs: number | undefined;
}

/** The longest time that a timer of Node.js can wait, in milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

/** Reads and removes the variables. Throws a usage error for a WATCHDOG_USEC that is no number: unwatched is not what was asked for. */
export function takeServiceEnvironment(environment: NodeJS.ProcessEnv = process.env): ServiceEnvironment {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  // A watchdog without WATCHDOG_PID watches whoever reads it.
  const watched = (WATCHDOG_PID ?? String(process.pid)) === String(process.pid);
  return {
    notifySocket: NOTIFY_SOCKET || undefined,
    watchdogMs: watched ? parseWatchdog(WATCHDOG_USEC) : undefined,
  };
}

function parseWatchdog(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) / 1_000 : 0;
  if (ms >= 1) return Math.min(ms, MAX_TIMER_MS);
  throw usageError(
    `invalid WATCHDOG_USEC: ${text}`,
    'it is a number of microseconds from 1000: set WatchdogSec= in the unit, or unset the variable',
  );
}
