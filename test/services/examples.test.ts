// The programs of the documentation that talk to each other, run as they are written, whichever of two is started first.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listServices } from 'sealane';
import { asModule, programs } from '../helpers/programs.js';
import { Stage } from './nodes.test.helper.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const folder = mkdtempSync(join(root, 'test', 'dist', 'examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Pair {
  /** The page that has the programs. */
  readonly page: string;
  readonly sender: string;
  readonly receiver: string;
  /** What the receiver says. */
  readonly lines: readonly RegExp[];
}

/** The name of a program's file, without its ending. */
const fileOf = (page: string, name: string) => `${page}-${name}`;

/** The programs, compiled, by the names in their first comments. */
function compile(pairs: readonly Pair[]): void {
  for (const { page, sender, receiver } of pairs)
    for (const name of [sender, receiver]) {
      const program = programs(`docs/${page}.md`).find(({ code }) => code.includes(`// ${name}.ts`));
      assert.ok(program, `${name} of ${page}`);
      writeFileSync(join(folder, `${fileOf(page, name)}.ts`), asModule(program.code));
    }
  const compilerOptions = { composite: false, incremental: false, noUnusedLocals: false, sourceMap: false };
  const options = { extends: '../../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
}

/** Starts a program in the stage's domain. The first has its port when this resolves. */
async function start(t: TestContext, { directory }: Stage, name: string): Promise<ChildProcess> {
  const ports = async () =>
    (await listServices({ directory })).reduce((sum, one) => sum + one.ports.length, 0);
  const before = await ports();
  const env = { ...process.env, SEALANE_DIR: directory };
  const child = spawn(process.execPath, [join(folder, `${name}.js`)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  while (before === 0 && (await ports()) === 0) {
    assert.equal(child.exitCode, null, `${name} has ended`);
    await setTimeout(5);
  }
  return child;
}

const PAIRS: readonly Pair[] = [
  { page: 'services', sender: 'camera', receiver: 'viewer', lines: [/^1 0 8294400$/] },
  { page: 'services', sender: 'door', receiver: 'bell', lines: [/^1 1 \d+$/, /^2 1 \d+$/] },
  { page: 'buffers', sender: 'camera', receiver: 'viewer', lines: [/^1 1920 8294400 255 undefined$/] },
];

compile(PAIRS);

for (const { page, sender, receiver, lines } of PAIRS)
  for (const order of [
    [sender, receiver],
    [receiver, sender],
  ])
    test(`what ${sender}.ts of ${page}.md sends reaches ${receiver}.ts, with ${order[0]} started first`, async (t) => {
      const stage = new Stage(t);
      const children = new Map<string, ChildProcess>();
      for (const name of order) children.set(name, await start(t, stage, fileOf(page, name)));
      const output = children.get(receiver)?.stdout;
      const sending = children.get(sender);
      assert.ok(output && sending);
      const ended = sending.exitCode === null ? once(sending, 'exit') : Promise.resolve([0]);
      const told = createInterface({ input: output })[Symbol.asyncIterator]();
      for (const line of lines) assert.match((await told.next()).value ?? 'nothing', line);
      assert.equal((await ended)[0], 0);
    });
