/**
 * A virtual machine that runs a command beside real drivers, in software emulation: it works wherever QEMU does. It sees the repository and
 * Node.js, read-only, and nothing else of this machine. Owns its process and a folder for its files.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../addon/compile.mjs';
import { makeInitramfs } from './initramfs.mjs';
import { loadModules } from './kernel.mjs';

const QEMU = 'qemu-system-x86_64';
const BUSYBOX = '/bin/busybox';

/** Options that modules take: one camera that records and none that plays, no injected errors. */
const MODULE_OPTIONS = { vivid: 'n_devs=1 node_types=0x1 no_error_inj=1' };

/** Ends a machine that hangs, far above what the tests take on a slow machine. */
const WATCHDOG_MS = 600_000;

/** The line that says that everything was run. */
const END = /^vm: ended with status (\d+)$/;

/** Packages of Debian that this takes and that are not there. */
export function missingPackages() {
  const has = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
  return [
    ...(has(QEMU) ? [] : ['qemu-system-x86']),
    ...(isStatic(BUSYBOX) ? [] : ['busybox-static']),
    ...(has('xz') ? [] : ['xz-utils']),
  ];
}

/** Debian's other busybox takes libraries. */
function isStatic(path) {
  const result = spawnSync('ldd', [path], { encoding: 'utf8' });
  return result.status !== 0 && /not a dynamic|statically/.test(`${result.stdout}${result.stderr}`);
}

/**
 * Boots, runs `command` (of a shell, in the repository) with `programs` beside it, and resolves with its status; undefined: the machine
 * never said how it ended. Each line that it prints goes to `onLine`.
 */
export async function runInMachine({
  kernel,
  command,
  programs = [],
  memoryMiB = 1_024,
  kvm = false,
  onLine,
}) {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-vm-'));
  try {
    const initramfs = join(folder, 'initramfs');
    writeFileSync(initramfs, Buffer.concat(makeInitramfs(bootFiles(kernel, command, programs))));
    return await boot({ kernel, initramfs, memoryMiB, kvm, onLine });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bootFiles(kernel, command, programs) {
  const modules = loadModules(kernel);
  const order = modules.map(({ name }) => `${name} ${MODULE_OPTIONS[name] ?? ''}`.trim());
  return new Map([
    ['init', readFileSync(join(root, 'scripts/vm/init.sh'))],
    ['bin/busybox', readFileSync(BUSYBOX)],
    ['command', command],
    ['modules/order', `${order.join('\n')}\n`],
    ...modules.map(({ name, bytes }) => [`modules/${name}.ko`, bytes]),
    ...librariesOf([process.execPath, ...programs]).map((path) => [path.slice(1), readFileSync(path)]),
    ...programs.map((path) => [`programs/${path.split('/').at(-1)}`, readFileSync(path)]),
  ]);
}

/** The shared libraries that programs load, their loader among them, by the paths at which they ask for them. */
function librariesOf(programs) {
  const paths = new Set();
  for (const program of programs) {
    const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
    for (const [, path] of (stdout ?? '').matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)) paths.add(path);
  }
  return [...paths];
}

function boot({ kernel, initramfs, memoryMiB, kvm, onLine }) {
  const node = dirname(dirname(realpathSync(process.execPath)));
  const child = spawn(
    QEMU,
    [
      ...(kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max']),
      ...['-M', 'q35', '-m', String(memoryMiB), '-smp', '2', '-nodefaults', '-no-user-config', '-no-reboot'],
      ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
      ...['-kernel', kernel.image, '-initrd', initramfs],
      ...['-append', 'console=ttyS0 panic=-1 quiet udmabuf.size_limit_mb=1024'],
      ...['-device', 'virtio-gpu-pci', '-device', 'cirrus-vga'],
      ...share('sealane', root),
      ...share('node', node),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  return new Promise((resolve, reject) => {
    let status;
    const read = (text) => {
      const line = text.replace(/\r/g, '');
      const found = END.exec(line);
      if (found) status = Number(found[1]);
      else onLine(line);
    };
    createInterface({ input: child.stdout }).on('line', read);
    createInterface({ input: child.stderr }).on('line', (line) => onLine(`qemu: ${line}`));
    const watchdog = setTimeout(() => child.kill('SIGKILL'), WATCHDOG_MS);
    watchdog.unref();
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(watchdog);
      resolve(status);
    });
  });
}

function share(tag, path) {
  const options = `local,path=${path},mount_tag=${tag},security_model=none,readonly=on,multidevs=remap`;
  return ['-virtfs', options];
}
