/** For tests: a file whose server answers no flush, so that whoever closes it waits. Owns the mount and its server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { disposeDescriptor } from 'sealane/internal';

const SERVER = fileURLToPath(
  new URL('../../../packages/sealane/dist/broker/fuse.test.helper.js', import.meta.url),
);

/** A file of a hostile file system. */
export interface HostileFile {
  /** Opens it; closed with the test. Whoever has it open starts no process any more: the new one would wait for its close. */
  open(): number;
  /** Resolves when somebody closes a descriptor of it, and waits from then on. */
  closing(): Promise<void>;
}

/** Mounts one; it ends, and all waiting for it, with the test. Undefined: none can be mounted here. */
export async function hostileFile(t: TestContext): Promise<HostileFile | undefined> {
  const at = mkdtempSync(join(tmpdir(), 'sealane-fuse-'));
  const server = spawn(process.execPath, [SERVER, at], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const { done } = await lines.next();
  t.after(async () => {
    server.kill('SIGKILL');
    if (done !== true) await once(spawn('umount', ['-l', at], { stdio: 'inherit' }), 'exit');
    rmdirSync(at);
  });
  if (done === true) return undefined;
  return {
    open() {
      const fd = openSync(join(at, 'file'), 'r');
      t.after(() => disposeDescriptor(fd));
      return fd;
    },
    async closing() {
      await lines.next();
    },
  };
}
