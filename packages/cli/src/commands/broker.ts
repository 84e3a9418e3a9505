/** `sealane broker`: a broker in the foreground. Owns it from its start to the signal that ends it. */
import { Broker, type BrokerOptions, type PassedSocket, takePassedSockets } from 'sealane';
import { type AuditCommandOptions, CommandAudit, takesStandardOutput } from '../audit.js';
import { BROKER_LIMITS, type BrokerLimitName } from '../broker-limits.js';
import { describeFailure, reportFailure, usageError } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { CommandPolicy } from '../policy/command-policy.js';
import { takeServiceEnvironment } from '../service/environment.js';
import { Hangup } from '../service/hangup.js';
import { Reload } from '../service/reload.js';
import { chooseSockets, type ServiceSockets } from '../service/sockets.js';
import { Supervisor } from '../service/supervisor.js';
import { escapeControls, escapeText, jsonText } from '../terminal/escape.js';
import type { Screen, Terminal } from '../terminal/terminal.js';
import { formatBytes, formatCount } from '../terminal/units.js';
import { userId } from './bus.js';

export interface BrokerCommandOptions extends AuditCommandOptions {
  socket?: string;
  /** The socket for memfdbus clients. */
  memfdbusSocket?: string;
  /** Additional admitted users, by name or id. */
  user?: string[];
  /** The file of a policy. */
  policy?: string;
  /** The limits, under the names that commander gives them. */
  [limit: string]: unknown;
}

/** Serves until the first SIGINT or SIGTERM, or until its terminal is gone. One line says where, once clients can connect. */
export async function runBroker(options: BrokerCommandOptions, terminal: Terminal): Promise<void> {
  keepDebuggerClosed();
  const { notifySocket, watchdogMs } = takeServiceEnvironment();
  const sockets = chooseSockets(takePassedSockets());
  using interrupt = new Interrupt();
  using supervisor = new Supervisor(notifySocket, (message) => warn(message, terminal));
  const reload = new Reload((error) => reportFailure(terminal, describeFailure(error)));
  using hangup = new Hangup(() => supervisor.reloading(() => reload.run()));
  const policy = await CommandPolicy.open(options.policy, terminal);
  await using audit = await CommandAudit.open(options, (message) => warn(message, terminal));
  await using broker = await Broker.start({
    ...toBrokerOptions(options, sockets),
    policy: policy?.options,
    audit: audit?.options,
  });
  if (policy !== undefined) reload.add(policy.attach(broker));
  if (audit !== undefined) reload.add(() => audit.reopen());
  announce(broker, terminal, takesStandardOutput(options) ? terminal.err : terminal.out);
  supervisor.ready({ describe: () => describe(broker), probe: () => broker.probe() }, watchdogMs);
  await Promise.race([interrupt.wait(), hangup.terminalGone]);
  supervisor.stopping();
}

/**
 * Node.js answers SIGUSR1 with a debugger on a TCP port, through which every user of the machine can run code here. A listener of
 * one's own takes its place: a broker ignores the signal.
 */
function keepDebuggerClosed(): void {
  process.on('SIGUSR1', () => undefined);
}

function announce({ socket, memfdbusSocket }: Broker, terminal: Terminal, out: Screen): void {
  const foreign = memfdbusSocket === undefined ? {} : { memfdbusSocket };
  if (terminal.json) out.line(jsonText({ event: 'serving', socket, ...foreign, pid: process.pid }));
  else if (!out.terminal) out.line(escapeText(socket));
  else out.line(`serving on ${out.style.bold(escapeText(socket))} ${out.style.dim('(Ctrl-C stops it)')}`);
}

function warn(message: string, terminal: Terminal): void {
  if (terminal.json) terminal.err.line(jsonText({ warning: message }));
  else terminal.err.line(`sealane: ${escapeControls(message)}`);
}

/** For `systemctl status`. */
function describe(broker: Broker): string {
  const { objects, bytes, connections } = broker.status();
  return `Serving ${formatCount(objects, 'object')}, ${formatBytes(bytes)}, to ${formatCount(connections, 'connection')}`;
}

function toBrokerOptions(options: BrokerCommandOptions, sockets: ServiceSockets): BrokerOptions {
  const limits: Partial<Record<BrokerLimitName, number>> = {};
  for (const { name, property } of BROKER_LIMITS) {
    const value = options[property];
    if (typeof value === 'number') limits[name] = value;
  }
  return {
    ...limits,
    socket: place('--socket', options.socket, sockets.native),
    memfdbusSocket: place('--memfdbus-socket', options.memfdbusSocket, sockets.memfdbus),
    users: options.user?.map(userId),
  };
}

/** The path of an option, or the socket that was passed in its place; not both: one of them would silently not be served. */
function place(
  flag: string,
  path: string | undefined,
  passed: PassedSocket | undefined,
): string | PassedSocket | undefined {
  if (path === undefined || passed === undefined) return path ?? passed;
  throw usageError(
    `${flag} ${path} was given, and a socket at ${passed.path} was passed`,
    `leave out ${flag}, or start the broker without the socket`,
  );
}
