/** `sealane broker`: a broker in the foreground. Owns it from its start to the signal that ends it. */
import { Broker, type BrokerOptions } from 'sealane';
import { BROKER_LIMITS, type BrokerLimitName } from '../broker-limits.js';
import { describeFailure, reportFailure } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { CommandPolicy } from '../policy/command-policy.js';
import { Hangup } from '../service/hangup.js';
import { Reload } from '../service/reload.js';
import { escapeText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';

export interface BrokerCommandOptions {
  socket?: string;
  /** The socket for memfdbus clients. */
  memfdbusSocket?: string;
  /** Additional admitted user ids. */
  user?: number[];
  /** The file of a policy. */
  policy?: string;
  /** The limits, under the names that commander gives them. */
  [limit: string]: unknown;
}

/** Serves until the first SIGINT or SIGTERM, or until its terminal is gone. One line says where, once clients can connect. */
export async function runBroker(options: BrokerCommandOptions, terminal: Terminal): Promise<void> {
  using interrupt = new Interrupt();
  const reload = new Reload((error) => reportFailure(terminal, describeFailure(error)));
  using hangup = new Hangup(() => reload.run());
  const policy = await CommandPolicy.open(options.policy, terminal);
  await using broker = await Broker.start({ ...toBrokerOptions(options), policy: policy?.options });
  if (policy !== undefined) reload.add(policy.attach(broker));
  announce(broker, terminal);
  await Promise.race([interrupt.wait(), hangup.terminalGone]);
}

function announce({ socket, memfdbusSocket }: Broker, terminal: Terminal): void {
  const { out } = terminal;
  const foreign = memfdbusSocket === undefined ? {} : { memfdbusSocket };
  if (terminal.json) terminal.writeJson({ event: 'serving', socket, ...foreign, pid: process.pid });
  else if (!out.terminal) out.line(escapeText(socket));
  else out.line(`serving on ${out.style.bold(escapeText(socket))} ${out.style.dim('(Ctrl-C stops it)')}`);
}

function toBrokerOptions(options: BrokerCommandOptions): BrokerOptions {
  const limits: Partial<Record<BrokerLimitName, number>> = {};
  for (const { name, property } of BROKER_LIMITS) {
    const value = options[property];
    if (typeof value === 'number') limits[name] = value;
  }
  const place = options.socket === undefined ? {} : { socket: options.socket };
  const foreign = options.memfdbusSocket === undefined ? {} : { memfdbusSocket: options.memfdbusSocket };
  return { ...limits, ...place, ...foreign, ...(options.user === undefined ? {} : { users: options.user }) };
}
