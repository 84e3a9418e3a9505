// Consumers that are child processes: started together, ready when each has said so, ended by disconnecting.
import { type ChildProcess, fork, type SerializationType } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a child says first, once it can take deliveries; after that it says how many bytes it looked at. */
export const READY = 'ready';

export async function startChildren(
  module: URL,
  count: number,
  args: readonly string[],
  serialization: SerializationType,
): Promise<ChildProcess[]> {
  const children = Array.from({ length: count }, () => fork(fileURLToPath(module), args, { serialization }));
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
