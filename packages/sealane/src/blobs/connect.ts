/** Finding the broker: resolves the socket, connects, checks who listens, and greets. Owns the socket until the greeting is done. */
import { setTimeout as delay } from 'node:timers/promises';
import { checkInteger, checkOptions, checkPath, checkSignal, checkText } from '../base/check.js';
import { diagnostics } from '../base/diagnostics.js';
import {
  abortedError,
  invalidArgument,
  isSealaneError,
  SealaneError,
  type SealaneErrorCode,
} from '../base/errors.js';
import { MAX_JOB_BYTES } from '../base/limits.js';
import { defaultSocketPath } from '../os/runtime-directory.js';
import { MAX_SOCKET_PATH_BYTES, UnixSocket } from '../os/unix-socket.js';
import { Connection } from './connection.js';

export interface ConnectOptions {
  /** Path of the broker's socket. Default: $SEALANE_SOCKET, else `broker.sock` in the runtime directory. */
  socket?: string | undefined;
  /** The job that this bus acts for, 1 to 256 bytes. Default: $SEALANE_JOB_ID, else none. */
  jobId?: string | undefined;
  /** Milliseconds to wait for a broker that is busy, 1 to 2,147,483,647. Default: 5,000. A missing broker fails at once. */
  timeoutMs?: number | undefined;
  /** Gives the attempt up. */
  signal?: AbortSignal | undefined;
  /**
   * Users beside oneself and root whose broker is trusted, as user ids. Default: none. Behind a socket that a service manager opened
   * stands the service manager's user, root for a service of the system, whatever user the broker runs as.
   */
  trustedUsers?: readonly number[] | undefined;
}

/** Options with every default filled in. @internal */
export interface ConnectSettings {
  readonly socket: string;
  readonly jobId: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly trustedUsers: readonly number[];
}

/** How long to wait, in milliseconds, before trying again when the broker's queue of new connections is full. */
const BACKLOG_RETRY_MS = 5;

/** Attempts that ended without anybody refusing anything. */
const ENDINGS: ReadonlySet<SealaneErrorCode> = new Set([
  'ERR_SEALANE_ABORTED',
  'ERR_SEALANE_TIMEOUT',
  'ERR_SEALANE_CONNECTION_LOST',
]);

/** Checks options; throws ERR_SEALANE_INVALID_ARGUMENT. @internal */
export function toConnectSettings(options: ConnectOptions): ConnectSettings {
  checkOptions('options', options, ['socket', 'jobId', 'timeoutMs', 'signal', 'trustedUsers']);
  const { timeoutMs = 5_000, trustedUsers = [], signal } = options;
  const { jobId = process.env.SEALANE_JOB_ID || undefined, socket = defaultSocketPath() } = options;
  checkPath('socket', socket, MAX_SOCKET_PATH_BYTES);
  if (jobId !== undefined) checkText('jobId', jobId, 1, MAX_JOB_BYTES);
  checkInteger('timeoutMs', timeoutMs, 1, 2_147_483_647);
  checkSignal('signal', signal);
  if (!Array.isArray(trustedUsers))
    throw invalidArgument('trustedUsers', 'be an array of user ids', trustedUsers);
  for (const uid of trustedUsers) checkInteger('a user of trustedUsers', uid, 0, 0xffff_fffe);
  return { socket, jobId, timeoutMs, signal, trustedUsers };
}

/** Connects and greets. Throws as Bus.connect documents. @internal */
export async function openConnection(settings: ConnectSettings): Promise<Connection> {
  const timeout = AbortSignal.timeout(settings.timeoutMs);
  const socket = await connectSocket(settings, timeout);
  const { pid, uid } = socket.peer;
  const broker = { part: 'blobs', socket: settings.socket, peer: { pid, uid } } as const;
  const connection = await admitted(socket, settings, timeout).catch((error: unknown) => {
    if (diagnostics.refused.wanted && isSealaneError(error) && !ENDINGS.has(error.code))
      diagnostics.refused.tell({ ...broker, reason: error.code, text: error.message });
    throw error;
  });
  if (diagnostics.connected.wanted) diagnostics.connected.tell(broker);
  connection.onFailure((error) => {
    if (diagnostics.disconnected.wanted)
      diagnostics.disconnected.tell(error.code === 'ERR_SEALANE_CLOSED' ? broker : { ...broker, error });
  });
  return connection;
}

/** Takes the socket. */
async function admitted(
  socket: UnixSocket,
  settings: ConnectSettings,
  timeout: AbortSignal,
): Promise<Connection> {
  try {
    checkPeer(socket, settings);
  } catch (error) {
    socket.close();
    throw error;
  }
  return await greet(socket, settings, timeout);
}

async function connectSocket(settings: ConnectSettings, timeout: AbortSignal): Promise<UnixSocket> {
  for (;;) {
    throwIfOver(settings, timeout);
    const socket = tryConnect(settings.socket);
    if (socket !== undefined) return socket;
    await delay(BACKLOG_RETRY_MS);
  }
}

function tryConnect(path: string): UnixSocket | undefined {
  try {
    return UnixSocket.connect(path);
  } catch (cause) {
    if (!isSealaneError(cause) || (cause.errnoName !== 'ENOENT' && cause.errnoName !== 'ECONNREFUSED'))
      throw cause;
    const start = 'start one with `sealane broker` or Broker.start()';
    throw new SealaneError('ERR_SEALANE_NO_BROKER', `no broker at ${path}; ${start}`, { cause });
  }
}

/** Whoever can create the path could pose as the broker: only a user that we trust anyway may. */
function checkPeer(socket: UnixSocket, settings: ConnectSettings): void {
  const { uid, pid } = socket.peer;
  const own = process.geteuid?.();
  if (uid === own || uid === 0 || settings.trustedUsers.includes(uid)) return;
  throw new SealaneError(
    'ERR_SEALANE_UNTRUSTED_PEER',
    `the process ${pid} behind ${settings.socket} belongs to user ${uid}, not to ${own}; ` +
      'name that user in trustedUsers if that is meant',
  );
}

/** Greets within the time limit: closing the connection is what ends a greeting that takes too long. */
async function greet(
  socket: UnixSocket,
  settings: ConnectSettings,
  timeout: AbortSignal,
): Promise<Connection> {
  const signal = settings.signal === undefined ? timeout : AbortSignal.any([timeout, settings.signal]);
  return await Connection.greet(socket, settings.jobId, signal).catch((error) => {
    throwIfOver(settings, timeout);
    throw error;
  });
}

function throwIfOver(settings: ConnectSettings, timeout: AbortSignal): void {
  if (settings.signal?.aborted) throw abortedError('connecting', settings.signal);
  if (!timeout.aborted) return;
  const message = `the broker at ${settings.socket} did not answer within ${settings.timeoutMs} ms`;
  throw new SealaneError('ERR_SEALANE_TIMEOUT', `${message}; it may be overloaded or stopped`);
}
