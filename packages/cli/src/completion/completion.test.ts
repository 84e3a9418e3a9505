// Completion in real shells, against a real broker with names that a shell must not obey.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Broker, connect, Node } from 'sealane';
import { createProgram } from '../program.js';
import { describeProgram, flatten } from '../reference/tree.js';
import { Terminal } from '../terminal/terminal.js';
import { optionsOf } from './facts.js';
import { completionScript, type Shell } from './index.js';

const COMMAND = fileURLToPath(new URL('../../bin/sealane', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sealane-completion-'));
const socket = join(folder, 'broker.sock');
const trap = join(folder, 'trap');
const tree = describeProgram(createProgram(new Terminal({ json: false, colour: false })));

const HOSTILE = [`$(touch ${trap})`, `\`touch ${trap}\``, `; touch ${trap} #`];
const NAMES = ['model.bin', 'my model', 'cam:front', 'cam:rear', "it's", 'w"x', '~home', ...HOSTILE];
/** Names that would be taken for something else as an argument, or that a terminal obeys. */
const UNFIT = ['123', '-x', 'evil\nname', 'bell\x07', `sha256:${'0'.repeat(64)}`];

const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${join(folder, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}`,
  HOME: folder,
  SEALANE_SOCKET: socket,
  SEALANE_DIR: folder,
  TERM: 'dumb',
  LC_ALL: 'C.UTF-8',
};
for (const name of [
  'SEALANE_JOB_ID',
  'MEMFDBUS_JOB_ID',
  'NODE_OPTIONS',
  'NODE_DEBUG',
  'BASH_ENV',
  'ENV',
  'ZDOTDIR',
])
  delete environment[name];

let broker: Broker;
let node: Node;

before(async () => {
  mkdirSync(join(folder, 'bin'));
  symlinkSync(COMMAND, join(folder, 'bin', 'sealane'));
  writeFileSync(join(folder, 'model.txt'), '');
  for (const shell of ['bash', 'zsh', 'fish'] as const)
    writeFileSync(join(folder, `sealane.${shell}`), completionScript(shell, tree));
  broker = await Broker.start({ socket });
  node = await Node.create({ name: 'camera', directory: folder });
  for (const name of ['camera/front', 'camera/rear', '-x', HOSTILE[0] ?? ''])
    await node.service(name).publishSubscribe();
  await using bus = await connect({ socket });
  for (const name of [...NAMES, ...UNFIT]) await bus.put(Buffer.from('x'), { name });
});

after(async () => {
  await node.close();
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

function has(shell: Shell): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}

function run(
  program: string,
  words: string[],
  env = environment,
): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(program, words, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => child.on('close', () => resolve({ stdout, stderr })));
}

/** Splits a line as bash does: at spaces, and on both sides of = and :. */
function bashPieces(line: string): string[] {
  return line.split(/ |(?=[=:])|(?<=[=:])/);
}

/** What bash offers to put in place of the last piece of a line. */
async function bashOffers(line: string, pieces = bashPieces(line)): Promise<string[]> {
  const program = `source ./sealane.bash; COMP_LINE=$1 COMP_POINT=\${#1}; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _sealane; ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['--norc', '-c', program, 'bash', line, ...pieces]);
  assert.equal(stderr, '');
  return stdout.split('\n').slice(0, -1);
}

/** What fish offers for a line, without the descriptions. */
async function fishOffers(line: string): Promise<string[]> {
  const program = 'source ./sealane.fish; complete -C "$argv[1]"';
  const { stdout, stderr } = await run('fish', ['--no-config', '-c', program, line]);
  assert.equal(stderr, '');
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((entry) => entry.split('\t')[0] ?? '');
}

/**
 * Types lines into an interactive shell, tabs and all; answers which arguments each of them gave the command in the end.
 * Undefined: there is no program to make a terminal.
 */
async function type(shell: Shell, setup: string[], lines: string[]): Promise<string[][] | undefined> {
  if (spawnSync('script', ['--version']).status !== 0) return undefined;
  const start = { bash: 'bash --norc --noprofile -i', zsh: 'zsh -f -i', fish: '' }[shell];
  const child = spawn('script', ['-qec', start, '/dev/null'], { env: environment, cwd: folder });
  let shown = '';
  const chunks = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
  const until = async (mark: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = mark.exec(shown);
      if (match !== null) {
        shown = shown.slice(match.index + match[0].length);
        return match;
      }
      const { value, done } = await chunks.next();
      assert.ok(!done, `${shell} ended: ${shown}`);
      shown += value;
    }
  };
  try {
    // The marks are written so that the echo of the line is none.
    const report = `sealane() { printf 'GIVEN''[%s]' "$#"; printf '<%s>' "$@"; printf 'E''ND\\n'; }`;
    for (const line of ["PS1='YOURS''> '", ...setup, report, "echo REA''DY"]) child.stdin.write(`${line}\n`);
    await until(/READY/);
    const given: string[][] = [];
    for (const line of lines) {
      // A shell may throw away what is typed before it reads lines again.
      await until(/YOURS> /);
      child.stdin.write(`${line}\n`);
      const [, words = ''] = await until(/GIVEN\[\d+\]([^\n]*?)END/);
      given.push(words.slice(1, -1).split('><'));
    }
    return given;
  } finally {
    child.kill('SIGKILL');
  }
}

/** What is typed, and what the command is given in the end: the same in every shell. */
const TYPED: [line: string, words: string[]][] = [
  ['sealane pu\t', ['put']],
  ['sealane get mod\t', ['get', 'model.bin']],
  ['sealane get my\t', ['get', 'my model']],
  ['sealane get cam:f\t', ['get', 'cam:front']],
  ['sealane get it\t', ['get', "it's"]],
  ["sealane get '$(t\t", ['get', HOSTILE[0] ?? '']],
  ['sealane get --wai\t mod\t', ['get', '--wait', 'model.bin']],
  ['sealane --socket /nonexistent get mod\t', ['--socket', '/nonexistent', 'get', 'mod']],
  ['sealane put model.t\t', ['put', 'model.txt']],
  ['sealane get -o model.t\t cam:r\t', ['get', '-o', 'model.txt', 'cam:rear']],
  ['sealane exec mod\t -- mkfif\t', ['exec', 'model.bin', '--', 'mkfifo']],
  ['sealane exec model.bin -- cat model.t\t', ['exec', 'model.bin', '--', 'cat', 'model.txt']],
  ['sealane completion fi\t', ['completion', 'fish']],
  ['sealane help dro\t', ['help', 'drop']],
  ['sealane policy ch\t model.t\t', ['policy', 'check', 'model.txt']],
  ['sealane service subs\t camera/f\t', ['service', 'subscribe', 'camera/front']],
  ['sealane node insp\t cam\t', ['node', 'inspect', 'camera']],
  ['sealane service hz --domain none cam\t', ['service', 'hz', '--domain', 'none', 'cam']],
];

async function checkTyping(t: TestContext, shell: Shell, setup: string[]): Promise<void> {
  if (!has(shell)) return t.skip(`there is no ${shell}`);
  const given = await type(
    shell,
    setup,
    TYPED.map(([line]) => line),
  );
  if (given === undefined) return t.skip('there is no script(1) to make a terminal');
  assert.deepEqual(
    given,
    TYPED.map(([, words]) => words),
  );
  assert.ok(!existsSync(trap), 'a name was run');
}

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  test(`the script for ${shell} is well-formed, and the same that the command prints`, async (t) => {
    const { stdout } = await run('sealane', ['completion', shell]);
    assert.equal(stdout, completionScript(shell, tree));
    if (!has(shell)) return t.skip(`there is no ${shell}`);
    const { stderr } = await run(shell, ['-n', join(folder, `sealane.${shell}`)]);
    assert.equal(stderr, '');
  });

  test(`the script for ${shell} has every command and every option`, () => {
    const script = completionScript(shell, tree);
    for (const entry of flatten(tree)) {
      assert.ok(script.includes(entry.path.join(' ')) || shell === 'zsh', entry.path.join(' '));
      for (const name of optionsOf(entry).flatMap(({ names }) =>
        names.filter((each) => each.startsWith('--')),
      ))
        assert.ok(script.includes(shell === 'fish' ? `-l ${name.slice(2)} ` : name), name);
    }
  });
}

test('what is typed into bash is completed', (t) =>
  checkTyping(t, 'bash', ['source ./sealane.bash', 'bind "set enable-bracketed-paste off"']));

test('what is typed into zsh is completed', (t) =>
  checkTyping(t, 'zsh', ['autoload -U compinit; compinit -u -D', 'source ./sealane.zsh']));

test('bash is offered what fits, quoted, and less what stands before a break', async (t) => {
  if (!has('bash')) return t.skip('there is no bash');
  assert.deepEqual(
    await bashOffers('sealane '),
    tree.children.map(({ path }) => path[1]),
  );
  const quotedNames = await bashOffers('sealane get ');
  assert.equal(quotedNames.length, NAMES.length);
  assert.ok(quotedNames.includes('my\\ model') && quotedNames.includes("it\\'s"));
  assert.deepEqual(await bashOffers('sealane get cam:f'), ['front']);
  assert.deepEqual(await bashOffers('sealane get cam:', ['sealane', 'get', 'cam', ':']), ['front', 'rear']);
  assert.deepEqual(await bashOffers("sealane get 'it"), []);
  assert.deepEqual(await bashOffers('sealane get "it'), ["it's"]);
  assert.deepEqual(await bashOffers('sealane get my\\ m', ['sealane', 'get', 'my\\ m']), ['my\\ model']);
  assert.deepEqual(await bashOffers('sealane --socket=model.t'), ['model.txt']);
  assert.deepEqual(await bashOffers('sealane --socket=/nonexistent get mod'), []);
  assert.deepEqual(await bashOffers('sealane get -- --wa'), []);
  assert.deepEqual(await bashOffers('sealane put --name mod'), []);
  assert.deepEqual(await bashOffers('sealane service hz cam'), ['camera/front', 'camera/rear']);
  assert.deepEqual(await bashOffers('sealane service hz --domain=none cam'), []);
  assert.deepEqual(await bashOffers('sealane node inspect cam'), ['camera']);
  assert.ok((await bashOffers('sealane stat --')).includes('--digest'));
  assert.ok(!existsSync(trap), 'a name was run');
});

test('fish is offered what fits', async (t) => {
  if (!has('fish')) return t.skip('there is no fish');
  assert.deepEqual(await fishOffers('sealane pu'), ['put']);
  assert.deepEqual((await fishOffers('sealane get ')).sort(), [...NAMES].sort());
  assert.deepEqual(await fishOffers('sealane get cam:'), ['cam:front', 'cam:rear']);
  assert.deepEqual(await fishOffers('sealane --socket /nonexistent get mod'), []);
  assert.deepEqual(await fishOffers(`sealane --socket ${socket} get mod`), ['model.bin']);
  assert.deepEqual(await fishOffers('sealane put model.t'), ['model.txt']);
  assert.deepEqual(await fishOffers('sealane get -o model.t'), ['model.txt']);
  assert.deepEqual(await fishOffers('sealane put --name mod'), []);
  assert.deepEqual((await fishOffers('sealane completion ')).sort(), ['bash', 'fish', 'zsh']);
  assert.deepEqual(await fishOffers('sealane help dro'), ['drop']);
  assert.deepEqual(await fishOffers('sealane policy check model.t'), ['model.txt']);
  assert.deepEqual(await fishOffers('sealane service hz cam'), ['camera/front', 'camera/rear']);
  assert.deepEqual(await fishOffers('sealane service hz --domain none cam'), []);
  assert.deepEqual(await fishOffers('sealane node inspect cam'), ['camera']);
  assert.deepEqual(await fishOffers('sealane policy check model.txt --cg'), ['--cgroup']);
  assert.ok((await fishOffers('sealane exec model.bin -- mkfif')).includes('mkfifo'));
  assert.deepEqual(await fishOffers('sealane exec model.bin -- cat model.t'), ['model.txt']);
  assert.ok((await fishOffers('sealane stat --dig')).includes('--digest'));
  assert.ok(!existsSync(trap), 'a name was run');
});

test('targets are listed without those that would mean something else, and nothing is said without a broker', async () => {
  assert.deepEqual(await run('sealane', ['__objects']), { stdout: `${NAMES.join('\n')}\n`, stderr: '' });
  const nowhere = { ...environment, SEALANE_SOCKET: join(folder, 'none') };
  assert.deepEqual(await run('sealane', ['__objects'], nowhere), { stdout: '', stderr: '' });
});
