/**
 * Waiting for the other side before anything is sent: for as many as are wanted, else for those that are there already. Owns nothing; that
 * a peer is listed says only that it was there, so what is waited for has an end.
 */
import type { PortInfo } from 'sealane';
import { formatCount, formatDuration } from '../terminal/units.js';
import { tooLate, withTimeout } from './participate.js';

/** For how long peers that are there already may take to connect, where nothing is said of it. */
const CONNECT_MS = 1_000;

/** Whom to wait for, and for how long. */
export interface PeerWait {
  readonly kind: 'subscriber' | 'listener';
  /** undefined: those that are there already, if they connect soon. */
  readonly wanted: number | undefined;
  /** Milliseconds to wait for those that are wanted; undefined: without end. */
  readonly timeoutMs: number | undefined;
  /** The command that starts one. */
  readonly starter: string;
}

/** The port that sends, as far as this needs it. */
export interface SendingPort {
  connected(count: number, options: { signal: AbortSignal }): Promise<void>;
}

/** Resolves when they are connected; `connectedNow` counts them for the error of those that are too late. */
export async function waitForPeers(
  service: { ports(): readonly PortInfo[] },
  port: SendingPort,
  wait: PeerWait & { connectedNow(): number },
  signal: AbortSignal,
): Promise<void> {
  if (wait.wanted === undefined) return await waitForThosePresent(service, port, wait.kind, signal);
  const { kind, wanted, timeoutMs = 0, starter } = wait;
  const late = () => {
    const there = formatCount(wait.connectedNow(), kind);
    const message = `${there} of ${wanted} came within ${formatDuration(timeoutMs)}`;
    return tooLate(message, `wait longer with --timeout, or start them with \`${starter} --wait\``);
  };
  await withTimeout(signal, wait.timeoutMs, late, (either) => port.connected(wanted, { signal: either }));
}

/** One that is stopped, or that refuses this user, never connects: after a second the command goes on without it. */
async function waitForThosePresent(
  service: { ports(): readonly PortInfo[] },
  port: SendingPort,
  wanted: PeerWait['kind'],
  signal: AbortSignal,
): Promise<void> {
  const there = service.ports().filter(({ kind }) => kind === wanted).length;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  try {
    await port.connected(there, { signal: soon });
  } catch (error) {
    if (signal.aborted || !soon.aborted) throw error;
  }
}
