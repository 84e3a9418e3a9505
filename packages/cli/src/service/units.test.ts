// The unit files: accepted by systemd, closed to others, and in agreement with where clients look.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultSocketPath } from 'sealane/internal';
import { folderOf } from './service.test.helper.js';

const UNITS = fileURLToPath(new URL('../../systemd', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../bin/sealane', import.meta.url));
const MANAGERS = ['user', 'system'] as const;
type Manager = (typeof MANAGERS)[number];

/** Exposure, in tenths, that `systemd-analyze security` may find: what the comments in the units explain is left. */
const MAX_EXPOSURE: Readonly<Record<Manager, number>> = { user: 65, system: 10 };

/** The units as they would be installed, with the command of this build. */
function installed(t: TestContext, manager: Manager): { folder: string; units: string[] } {
  const folder = folderOf(t);
  cpSync(join(UNITS, manager), folder, { recursive: true });
  const service = join(folder, 'sealane.service');
  const text = readFileSync(service, 'utf8');
  writeFileSync(service, text.replace('\nExecStart=sealane ', `\nExecStart=${COMMAND} `));
  const units = readdirSync(folder).filter((name) => /\.(socket|service)$/.test(name));
  return { folder, units: units.map((name) => join(folder, name)) };
}

function analyze(
  manager: Manager,
  folder: string,
  ...words: string[]
): { status: number | null; output: string } {
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [`--${manager}`, ...words], {
    encoding: 'utf8',
    env,
  });
  return { status, output: `${stdout}${stderr}` };
}

/** The values of a setting, in order. */
function settings(manager: Manager, unit: string, name: string): string[] {
  const text = readFileSync(join(UNITS, manager, unit), 'utf8');
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

for (const manager of MANAGERS) {
  test(`systemd accepts the units of the ${manager}`, (t) => {
    const { folder, units } = installed(t, manager);
    if (analyze(manager, folder, '--version').status !== 0) return t.skip('there is no systemd-analyze');
    assert.deepEqual(analyze(manager, folder, 'verify', '--man=no', ...units), { status: 0, output: '' });
  });

  test(`the service of the ${manager} is shut in as far as it can be`, (t) => {
    const { folder } = installed(t, manager);
    const words = ['security', '--offline=true', `--threshold=${MAX_EXPOSURE[manager]}`];
    const { status, output } = analyze(manager, folder, ...words, join(folder, 'sealane.service'));
    if (!output.includes('exposure level'))
      return t.skip(`systemd-analyze can't tell: ${output || 'it is not there'}`);
    assert.equal(status, 0, output);
  });

  test(`the sockets of the ${manager} are open to nobody else`, () => {
    const mode = manager === 'user' ? '0600' : '0660';
    for (const unit of ['sealane.socket', 'sealane-memfdbus.socket']) {
      assert.deepEqual(settings(manager, unit, 'SocketMode'), [mode]);
      assert.deepEqual(settings(manager, unit, 'SocketGroup'), manager === 'user' ? [] : ['sealane']);
    }
    assert.deepEqual(settings(manager, 'sealane.socket', 'ListenStream'), []);
    assert.deepEqual(settings(manager, 'sealane-memfdbus.socket', 'ListenSequentialPacket'), []);
  });
}

test('clients of a user look where the socket of the user is', () => {
  const [path] = settings('user', 'sealane.socket', 'ListenSequentialPacket');
  assert.equal(path, defaultSocketPath({ XDG_RUNTIME_DIR: '%t' }));
});
