/**
 * A virtual machine that runs a command beside real drivers, in software emulation: it works wherever QEMU does. It has copies of what the
 * repository has compiled, sees Node.js, read-only, and nothing else of this machine. Owns its process and a folder for its files.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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

/**
 * What is taken along of the repository, and where it lies there. In memory: loading the library's many files through a shared folder takes
 * twice as long, in each process.
 */
const COMPILED = [
  ['package.json', 'package.json'],
  ['packages/sealane/package.json', 'node_modules/sealane/package.json'],
  ['packages/sealane/dist', 'node_modules/sealane/dist'],
  ['packages/sealane/prebuilds', 'node_modules/sealane/prebuilds'],
  ['test/dist', 'test/dist'],
  ['examples/dist', 'examples/dist'],
];

/** Of the compiler's output only what runs. */
const RUNS = /\.([cm]?js|json|node)$/;

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
    ...COMPILED.flatMap(([from, to]) => filesBelow(join(root, from), `sealane/${to}`)),
  ]);
}

/** A file, or all that run in a folder and those in it: paths in the machine with their content. */
function filesBelow(path, name) {
  if (!statSync(path).isDirectory()) return RUNS.test(path) ? [[name, readFileSync(path)]] : [];
  return readdirSync(path).flatMap((entry) => filesBelow(join(path, entry), `${name}/${entry}`));
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
