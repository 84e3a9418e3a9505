// Consumers that are child processes: started together, ready when each has said so, ended by disconnecting.
import { type ChildProcess, fork, type SerializationType } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { commandOnCore } from '../../harness/pinning.js';

/** What a child says first, once it can take deliveries; after that it says how many bytes it looked at. */
export const READY = 'ready';

/** The core of a consumer that may run on any. */
export const ANYWHERE = -1;

export interface Consumers {
  readonly count: number;
  /** The core that all of them run on, or ANYWHERE. */
  readonly core: number;
}

/** A child inherits its parent's core, so that one for another core is started through taskset(1). */
function startChild(
  module: URL,
  core: number,
  args: readonly string[],
  serialization: SerializationType,
): ChildProcess {
  const [execPath = '', ...execArgv] = commandOnCore(core, [process.execPath, ...process.execArgv]);
  return fork(fileURLToPath(module), args, { serialization, execPath, execArgv });
}

export async function startChildren(
  module: URL,
  { count, core }: Consumers,
  args: readonly string[],
  serialization: SerializationType,
): Promise<ChildProcess[]> {
  const children = Array.from({ length: count }, () => startChild(module, core, args, serialization));
  await Promise.all(
    children.map(async (child) => {
      const [first] = await once(child, 'message');
      if (first !== READY) throw new Error(`a consumer said ${String(first)} before it was ready`);
    }),
  );
  return children;
}

export async function endChildren(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.map(endChild));
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}
