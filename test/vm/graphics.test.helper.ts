// Runs the program drm.c beside the graphics drivers of the virtual machine: imports and exports of theirs.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { UnixSocket } from 'sealane/internal';

const PROGRAM = '/programs/drm';

/** Options of node:test: outside of the virtual machine, skip. */
export const inMachine = {
  skip: process.env.SEALANE_VM === '1' ? false : 'not in the virtual machine: npm run test:vm',
};

/** What the program said, and the descriptor that it handed over, which is the caller's. */
export interface Answer {
  readonly said: Readonly<Record<string, unknown>>;
  readonly descriptor: number | undefined;
}

/** Runs the program with words of its own, and with a borrowed descriptor. */
export function graphics(words: readonly (string | number)[], descriptor?: number): Answer {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: scripts/test-vm.mjs brings it`);
  const [mine, theirs] = UnixSocket.pair('stream');
  try {
    const stdio = ['ignore', 'pipe', 'inherit', descriptor ?? 'ignore', theirs.fd] as const;
    const { stdout, error } = spawnSync(PROGRAM, words.map(String), { stdio: [...stdio], encoding: 'utf8' });
    if (error !== undefined) throw error;
    return { said: JSON.parse(stdout) as Record<string, unknown>, descriptor: received(mine) };
  } finally {
    mine.close();
    theirs.close();
  }
}

function received(socket: UnixSocket): number | undefined {
  const packet = socket.receive(new Uint8Array(1));
  return typeof packet === 'string' ? undefined : packet.descriptors[0];
}
