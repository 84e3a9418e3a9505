// Fuzzes what reads what others wrote: the C, every target of fuzz/, with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer; and the TypeScript,
// `packets`, with inputs made here of those that were taken for something. The corpus is text:
// fuzz/corpus/TARGET.json, hexadecimal. What crashes is written there, so that it is tried for ever after.
//
//   npm run fuzz -- [--seconds N] [--only TARGET] [--keep]    N for each target (default 10); --keep adds what reached new code to the corpus
//   npm run fuzz -- --replay                                  only what the corpus has, with any compiler
import { spawnSync } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'fuzz');
const native = join(root, 'packages', 'sealane', 'native');
const output = join(root, '.cache', 'fuzz');

/** The sources that each target tries, beside its own. */
const TARGETS = {
  control: ['parse.c'],
  text: ['parse.c'],
  strings: ['parse.c'],
  record: ['record.c'],
  seam: ['seam.c'],
};

/** What else a target is linked with, of fuzz/. */
const HELPERS = { seam: ['napi.c'] };

/** Those of JavaScript: fuzz/TARGET.mjs reads inputs, and changes them. */
const SCRIPTS = ['packets'];

/** Inputs longer than this find nothing more. */
const MAX_BYTES = 4096;

const FLAGS = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-g',
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fno-sanitize-recover=all',
];

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
    replay: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
if (!(Number.isInteger(seconds) && seconds > 0)) throw new Error('--seconds must be a whole number above 0');

function run(command, args) {
  return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
}

/** Compiles a target; throws what the compiler says. */
function compile(target, compiler, flags, more) {
  mkdirSync(output, { recursive: true });
  const program = join(output, `${target}${options.replay ? '-replay' : ''}`);
  const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers')), 'include');
  const sources = [
    join(folder, `${target}.c`),
    ...(HELPERS[target] ?? []).map((name) => join(folder, name)),
    ...TARGETS[target].map((name) => join(native, name)),
    ...more,
  ];
  const paths = ['-iquote', native, '-iquote', folder, `-I${headers}`];
  const result = run(compiler, [...FLAGS, ...flags, ...paths, '-o', program, ...sources, '-lm']);
  if (result.status !== 0) throw new Error(result.error?.message ?? result.stderr);
  return program;
}

/** The first clang that has libFuzzer; undefined when there is none. */
function findClang() {
  const names = [
    process.env.CLANG,
    'clang',
    ...[21, 20, 19, 18, 17, 16, 15, 14].map((version) => `clang-${version}`),
  ];
  const probe = join(output, 'probe.c');
  mkdirSync(output, { recursive: true });
  writeFileSync(
    probe,
    'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n == 7; }\n',
  );
  const made = join(output, 'probe');
  return names
    .filter((name) => name !== undefined && name !== '')
    .find((name) => run(name, ['-fsanitize=fuzzer,address,undefined', '-o', made, probe]).status === 0);
}

function corpusFile(target) {
  return join(folder, 'corpus', `${target}.json`);
}

/** `[{ name, hex }]` */
function readCorpus(target) {
  return existsSync(corpusFile(target)) ? JSON.parse(readFileSync(corpusFile(target), 'utf8')) : [];
}

function writeCorpus(target, entries) {
  mkdirSync(dirname(corpusFile(target)), { recursive: true });
  const lines = entries.map((entry) => `  ${JSON.stringify(entry)}`);
  writeFileSync(corpusFile(target), `[\n${lines.join(',\n')}\n]\n`);
}

/** Adds inputs that the corpus has not. Gives how many. */
function addToCorpus(target, kind, inputs) {
  const entries = readCorpus(target);
  const known = new Set(entries.map(({ hex }) => hex));
  const added = inputs.map((bytes) => bytes.toString('hex')).filter((hex) => !known.has(hex));
  for (const hex of added)
    entries.push({ name: `${kind} ${createHash('sha256').update(hex).digest('hex').slice(0, 12)}`, hex });
  if (added.length > 0) writeCorpus(target, entries);
  return added.length;
}

/** The corpus as files, which is what the programs take. */
function unpack(target, into) {
  return readCorpus(target).map(({ hex }, index) => {
    const path = join(into, `${index}`);
    writeFileSync(path, Buffer.from(hex, 'hex'));
    return path;
  });
}

function inputsOf(path, filter = () => true) {
  return readdirSync(path)
    .filter(filter)
    .sort()
    .map((name) => readFileSync(join(path, name)));
}

function replay(target, place) {
  const compiler = process.env.CC || 'cc';
  const program = compile(target, compiler, ['-fsanitize=address,undefined'], [join(folder, 'replay.c')]);
  const result = run(program, unpack(target, place));
  process.stdout.write(`${target}: ${result.stdout.trim()}\n`);
  if (result.status !== 0) process.stdout.write(result.stderr);
  return result.status === 0;
}

function fuzz(target, place, clang) {
  const program = compile(target, clang, ['-fsanitize=fuzzer,address,undefined'], []);
  const found = join(place, 'found');
  const seeds = join(place, 'seeds');
  for (const path of [found, seeds]) mkdirSync(path);
  unpack(target, seeds);
  const limits = [
    `-max_total_time=${seconds}`,
    `-max_len=${MAX_BYTES}`,
    '-print_final_stats=1',
    '-timeout=10',
  ];
  const result = run(program, [...limits, `-artifact_prefix=${place}/crash-`, found, seeds]);
  const runs = /stat::number_of_executed_units:\s+(\d+)/.exec(result.stderr)?.[1] ?? '?';
  const covered = [...result.stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? '?';
  process.stdout.write(
    `${target}: ${runs} runs, ${covered} edges covered, ${readdirSync(found).length} inputs of interest\n`,
  );
  if (options.keep) keep(target, place, program, [seeds, found]);
  const crashes = inputsOf(place, (name) => name.startsWith('crash-'));
  if (result.status === 0 && crashes.length === 0) return true;
  addToCorpus(target, 'crash', crashes);
  process.stdout.write(
    `${result.stderr.slice(-4000)}\n${target}: FAILED; the input is in ${corpusFile(target)}\n`,
  );
  return false;
}

/** Adds the fewest inputs that cover what all do. */
function keep(target, place, program, folders) {
  const merged = join(place, 'merged');
  mkdirSync(merged);
  run(program, ['-merge=1', `-max_len=${MAX_BYTES}`, merged, ...folders]);
  process.stdout.write(
    `${target}: ${addToCorpus(target, 'found', inputsOf(merged))} inputs added to the corpus\n`,
  );
}

/** Runs one target in a folder of its own. */
function attempt(target, clang) {
  const place = mkdtempSync(join(tmpdir(), 'sealane-fuzz-'));
  try {
    return options.replay ? replay(target, place) : fuzz(target, place, clang);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Numbers below a bound, without end, from a seed: a run can be told of. */
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Whether the input is read as it should be; one that is not is kept for ever. */
function isRead(target, readInput, input, onTaken) {
  try {
    if (readInput(input)) onTaken(input);
    return true;
  } catch (error) {
    addToCorpus(target, 'crash', [Buffer.from(input)]);
    process.stdout.write(`${error.stack}\n${target}: FAILED; the input is in ${corpusFile(target)}\n`);
    return false;
  }
}

/** Tries the corpus, and, unless that is all, inputs made of it for the time given. */
async function attemptScript(target) {
  const { readInput, Mutator } = await import(pathToFileURL(join(folder, `${target}.mjs`)).href);
  const inputs = readCorpus(target).map(({ hex }) => Buffer.from(hex, 'hex'));
  const seed = randomInt(1, 2 ** 31);
  const mutator = new Mutator(randomFrom(seed));
  const keep = (input) => mutator.add(input);
  if (!inputs.every((input) => isRead(target, readInput, input, keep))) return false;
  let runs = inputs.length;
  const untilMs = performance.now() + (options.replay ? 0 : seconds * 1_000);
  while (performance.now() < untilMs) {
    runs += 1;
    if (!isRead(target, readInput, mutator.next(), keep)) return false;
  }
  process.stdout.write(
    options.replay ? `${target}: ${runs} inputs\n` : `${target}: ${runs} runs, seed ${seed}\n`,
  );
  return true;
}

const isWanted = (target) => target.includes(options.only);
const clang = options.replay ? undefined : findClang();
const failed = [];
for (const target of SCRIPTS.filter(isWanted)) if (!(await attemptScript(target))) failed.push(target);
if (!options.replay && clang === undefined) {
  process.stdout.write(
    `${basename(import.meta.url)}: skipped: no clang with libFuzzer here (Debian: apt install clang libclang-rt-14-dev; or name it in $CLANG)\n`,
  );
} else {
  failed.push(...Object.keys(TARGETS).filter((target) => isWanted(target) && !attempt(target, clang)));
}
process.exitCode = failed.length === 0 ? 0 : 1;
