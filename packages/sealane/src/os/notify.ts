/**
 * Telling a service manager how this process is, sd_notify(3): datagrams of VARIABLE=VALUE lines to the socket that it named.
 * Owns no descriptor. Trusts the service manager to read: what does not fit its queue is not sent, and never waited for.
 */
import { checkText } from '../base/check.js';
import { invalidArgument } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { systemError } from './system-error.js';
import { MAX_SOCKET_PATH_BYTES } from './unix-socket.js';

/** What is told: READY, STATUS, WATCHDOG ..., each with its value. */
export type ServiceState = Readonly<Record<string, string | number>>;

export class Notifier {
  /**
   * `address` is what the service manager put into $NOTIFY_SOCKET: an absolute path, or `@` and the name of an abstract socket.
   * Throws ERR_SEALANE_INVALID_ARGUMENT for another one.
   */
  constructor(readonly address: string) {
    checkText('the address of the service manager', address, 2, MAX_SOCKET_PATH_BYTES);
    if (/^[/@][^\0]+$/.test(address)) return;
    throw invalidArgument(
      'the address of the service manager',
      'be an absolute path, or @ and a name',
      address,
    );
  }

  /**
   * Tells the service manager, in one datagram. False: its queue is full; nothing was sent, try again later. Throws
   * ERR_SEALANE_INVALID_ARGUMENT for a value with a line break, and ERR_SEALANE_SYSTEM when nobody is there (ENOENT, ECONNREFUSED).
   */
  tell(state: ServiceState): boolean {
    const lines = Object.entries(state).map(([name, value]) => `${name}=${oneLine(name, value)}\n`);
    try {
      return addon().datagramSend(this.address, Buffer.from(lines.join('')));
    } catch (error) {
      throw systemError(error, `telling the service manager at ${this.address}`);
    }
  }
}

/** The time of CLOCK_MONOTONIC in microseconds, as RELOADING=1 has to state it in MONOTONIC_USEC. */
export function monotonicMicroseconds(): string {
  return String(process.hrtime.bigint() / 1_000n);
}

function oneLine(name: string, value: string | number): string {
  const text = String(value);
  if (!text.includes('\n')) return text;
  throw invalidArgument(name, 'be one line', value);
}
