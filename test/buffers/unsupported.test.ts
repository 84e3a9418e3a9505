// Where Sealane can't run, every way to frames is refused with one code; a device that this machine lacks is named.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const PROGRAM = `
const { DmaBuf, Node } = await import(process.argv[1]);
const { VideoDevice } = await import(process.argv[2]);
const ways = {
  node: () => Node.create({ name: 'x', directory: '/nowhere/sealane' }),
  heap: () => DmaBuf.allocate(4096),
  take: () => DmaBuf.take(0),
  camera: () => VideoDevice.open('/dev/video0'),
};
for (const [way, call] of Object.entries(ways))
  await Promise.resolve().then(call).then(() => console.log(way, 'works'), (error) => console.log(way, error.code));
`;

function codes(before: string, environment: Record<string, string> = {}): string[] {
  const words = [
    '--input-type=module',
    '-e',
    before + PROGRAM,
    import.meta.resolve('sealane'),
    import.meta.resolve('sealane/internal'),
  ];
  const env = { ...process.env, ...environment };
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env });
  assert.equal(stderr, '');
  return stdout.trim().split('\n');
}

const REFUSED = ['node', 'heap', 'take', 'camera'].map((way) => `${way} ERR_SEALANE_UNSUPPORTED_PLATFORM`);

test('on another platform every way to frames is refused', () => {
  assert.deepEqual(codes("Object.defineProperty(process, 'platform', { value: 'darwin' });"), REFUSED);
});

test('without the native addon every way to frames is refused', () => {
  assert.deepEqual(codes('', { SEALANE_ADDON: '/nowhere/sealane.node' }), REFUSED);
});
