/**
 * Socket activation, sd_listen_fds(3): listening sockets that whoever started this process has opened for it.
 * Owns the reading of its variables. Trusts them for nothing: each descriptor is checked with the kernel.
 */
import { invalidArgument } from '../base/errors.js';
import { addon } from '../native/addon.js';
import { type ListenerInfo, requireListener } from './listener.js';

/** A listening socket that was passed to this process. */
export interface PassedSocket extends ListenerInfo {
  /** The descriptor. It belongs to the process as its standard streams do: who closes it listens no more. */
  readonly fd: number;
  /** What the passing process calls it (FileDescriptorName= of a systemd unit), or 'unknown'. */
  readonly name: string;
}

/** The descriptor of the first one. */
const FIRST = 3;

/** More sockets than anyone passes: what exceeds it is a mistake, and each would be looked at. */
const MAX_PASSED = 1_024;

/** Everything that belongs to the protocol; what is left of it would mislead the processes that this one starts. */
const VARIABLES = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const;

/**
 * The listening Unix sockets that were passed to this process, in their order: those that LISTEN_FDS counts, if LISTEN_PID is this
 * process. They are made close-on-exec, and the variables are removed from `environment` whether they were meant for this process
 * or not: a second call finds nothing. To be called once, before processes are started, on the main thread (workers have copies
 * of the environment). Throws ERR_SEALANE_INVALID_ARGUMENT for variables that contradict each other or say of something that it is
 * a listening Unix socket bound to a path when it is not.
 */
export function takePassedSockets(environment: NodeJS.ProcessEnv = process.env): PassedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: fds, LISTEN_FDNAMES: fdNames } = environment;
  for (const variable of VARIABLES) delete environment[variable];
  if (pid !== String(process.pid) || fds === undefined) return [];
  const count = parseCount(fds);
  const names = parseNames(fdNames, count);
  // All of them first: one that is refused must not leave others open to the processes that its caller starts.
  const descriptors = names.map((_, index) => FIRST + index);
  for (const fd of descriptors) closeOnExec(fd);
  return descriptors.map((fd, index) => {
    const name = names[index] ?? '';
    return { fd, name, ...requireListener(`the socket ${JSON.stringify(name)} in LISTEN_FDS`, fd) };
  });
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (count >= 0 && count <= MAX_PASSED) return count;
  throw invalidArgument('LISTEN_FDS', `be a number from 0 to ${MAX_PASSED}`, text);
}

function parseNames(text: string | undefined, count: number): string[] {
  if (text === undefined || count === 0) return new Array<string>(count).fill('unknown');
  const names = text.split(':');
  if (names.length === count) return names;
  throw invalidArgument('LISTEN_FDNAMES', `have ${count} names, as many as LISTEN_FDS says`, text);
}

/** One that is not open is met again, with a better error, when it is looked at. */
function closeOnExec(fd: number): void {
  try {
    addon().descriptorCloseOnExec(fd);
  } catch {}
}
