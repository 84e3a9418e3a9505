/**
 * Checks the models in spec/models with spin, exhaustively: `npm run test:models [-- ring wake ...]`. Every variant must hold in every
 * state, every mutant must be found, and every line of a model must be reached in some variant. Works in a temporary directory.
 *
 *   --install-tools   installs spin and a C compiler with apt-get first (as root; else says what to type)
 *   --tools-only      checks nothing
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DebianError, installDebianPackages } from './debian.mjs';
import { MODELS } from './models.mjs';

const folder = fileURLToPath(new URL('../spec/models/', import.meta.url));
const compiler = process.env.CC || 'cc';
/** Far more memory than any variant needs; one that outgrows it is not checked in full, and fails. */
const MEMORY_MIB = 1024;
/** The deepest path is 300,000 steps; a search that is cut off at the depth fails. */
const DEPTH = 2_000_000;
/** Ends a search that went out of hand, far above what any takes on a slow machine. */
const WATCHDOG_MS = 300_000;

const options = process.argv.slice(2);
const selected = options.filter((option) => !option.startsWith('--'));

/** What is missing here, with the Debian package that has it. */
function missingTools() {
  const runs = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  return [
    ...(runs('spin', ['-V']) ? [] : [{ tool: 'spin', package: 'spin' }]),
    ...(runs(compiler, ['--version']) ? [] : [{ tool: compiler, package: 'gcc' }]),
  ];
}

function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: WATCHDOG_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ output, status, signal }));
  });
}

/** Runs a step that has no business failing. */
async function must(command, args, cwd) {
  const { output, status } = await run(command, args, cwd);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${output}`);
  return output;
}

/** Searches all states of one model with these definitions. With a formula: for cycles that break it; assertions don't count then. */
async function search({ model, defines, formula }) {
  const work = mkdtempSync(join(tmpdir(), 'sealane-models-'));
  try {
    cpSync(folder, work, { recursive: true });
    const flags = [...defines, ...(formula === undefined ? [] : ['LIVENESS'])].map((define) => `-D${define}`);
    await must('spin', [...flags, '-a', `${model}.pml`], work);
    const kind = formula === undefined ? ['-DSAFETY'] : ['-DNFAIR=3'];
    await must(compiler, ['-O2', '-w', ...kind, `-DMEMLIM=${MEMORY_MIB}`, '-o', 'pan', 'pan.c'], work);
    const claim = formula === undefined ? [] : ['-a', '-f', '-A', '-N', formula];
    const { output, signal } = await run('./pan', [`-m${DEPTH}`, ...claim], work);
    const table = formula === undefined ? await must('./pan', ['-d'], work) : '';
    return { ...verdict(output, signal), lines: reachedLines(output, table) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What the search says: it held, it was violated, or it was no full search. */
function verdict(output, signal) {
  const figure = (pattern) => Number(output.match(pattern)?.[1] ?? Number.NaN);
  const facts = {
    output,
    states: figure(/(\d+) states, stored/),
    seconds: figure(/elapsed time ([\d.e-]+)/),
    memory: figure(/([\d.]+)\s+total actual memory/),
  };
  const errors = figure(/errors: (\d+)/);
  const found = output.match(/pan:1: (assertion violated.*|invalid end state.*|acceptance cycle.*)/);
  if (errors > 0 && found !== null) return { ...facts, violated: found[1] };
  const cutOff =
    /max search depth too small|reached -DMEMLIM|out of memory|search was cut short|Search not completed/i;
  const full = /Full statespace search/.test(output) && !cutOff.test(output) && signal === null;
  return { ...facts, held: errors === 0 && full };
}

/** The lines of the model, each with whether one of its states was reached. What may never be reached, assert(false), is left out. */
function reachedLines(output, table) {
  const unreached = new Set();
  let process = '';
  for (const line of output.split('\n')) {
    process = line.match(/^unreached in (?:proctype )?(\S+)/)?.[1] ?? process;
    const state = line.match(/^\t\S+\.pml:\d+, state (\d+),/)?.[1];
    if (state !== undefined) unreached.add(`${process} ${state}`);
  }
  const reached = new Map();
  for (const line of table.split('\n')) {
    process = line.match(/^(?:proctype|init|claim)\s+(\S+)/)?.[1] ?? process;
    const state = line.match(/^\s+state\s+(\d+) -.*\s(\S+\.pml:\d+) => (.*)$/);
    if (state === null || /^assert\(\(?0\)?\)/.test(state[3])) continue;
    const isReached = !unreached.has(`${process} ${state[1]}`);
    reached.set(state[2], (reached.get(state[2]) ?? false) || isReached);
  }
  return reached;
}

/** All searches of a model: each with what must come of it. */
function searches({ name: model, variants, formulas = [], mutants, formulaMutants = {} }) {
  const mutant = (name) => `MUTANT_${name}`;
  return [
    ...variants.map((defines) => ({ model, defines, holds: true })),
    ...formulas.map((formula) => ({ model, defines: [], formula, holds: true })),
    ...Object.entries(mutants).map(([name, defines]) => ({ model, defines: [...defines, mutant(name)] })),
    ...Object.entries(formulaMutants).map(([name, formula]) => ({ model, defines: [mutant(name)], formula })),
  ];
}

function describe({ model, defines, formula }) {
  return [model, ...defines, ...(formula === undefined ? [] : [`formula ${formula}`])].join(' ');
}

/** Prints the outcome of one search and answers whether it is the one that must be. */
function report(task, result) {
  const figures = `${result.states} states, ${result.seconds} s, ${Math.round(result.memory)} MiB`;
  if (task.holds && result.held) console.log(`${describe(task)}: holds (${figures})`);
  else if (!task.holds && result.violated) console.log(`${describe(task)}: found: ${result.violated}`);
  else if (task.holds) console.log(`${describe(task)}: FAILED (${figures})\n${result.output}`);
  else console.log(`${describe(task)}: FAILED: this mutant is not found (${figures})`);
  return Boolean(task.holds ? result.held : result.violated);
}

/** Lines that no variant of a model reaches: what they say was not checked. */
function neverReached(model, results) {
  const reached = new Map();
  for (const { task, result } of results)
    if (task.model === model && task.holds)
      for (const [line, was] of result.lines) reached.set(line, (reached.get(line) ?? false) || was);
  return [...reached].filter(([, was]) => !was).map(([line]) => line);
}

function quote(place) {
  const [file, line] = place.split(':');
  return `${place}: never reached: ${readFileSync(join(folder, file), 'utf8').split('\n')[line - 1].trim()}`;
}

async function checkAll(models) {
  const tasks = models.flatMap(searches);
  const results = [];
  let ok = true;
  const worker = async () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      const result = await search(task);
      ok = report(task, result) && ok;
      results.push({ task, result });
    }
  };
  // Each may take MEMORY_MIB, so no more than two at once.
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  const gaps = models.flatMap(({ name }) => neverReached(name, results));
  for (const gap of gaps) console.log(quote(gap));
  return ok && gaps.length === 0;
}

/** What can't be installed is missing, and said to be where it is needed. */
function installTools() {
  try {
    installDebianPackages(missingTools().map((tool) => tool.package));
  } catch (error) {
    if (!(error instanceof DebianError)) throw error;
    console.log(`check-models: ${error.message}`);
  }
}

function selectedModels() {
  const unknown = selected.filter((name) => !MODELS.some((model) => model.name === name));
  const names = MODELS.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new Error(`no model is called ${unknown.join(', ')}: there are ${names}`);
  return MODELS.filter(({ name }) => selected.length === 0 || selected.includes(name));
}

async function main() {
  const models = selectedModels();
  if (options.includes('--install-tools')) installTools();
  if (options.includes('--tools-only')) return true;
  const missing = missingTools();
  if (missing.length > 0) {
    const names = missing.map(({ tool }) => tool).join(' and ');
    const packages = missing.map((tool) => tool.package).join(' ');
    console.log(`check-models: skipped: ${names} not found (apt-get install ${packages})`);
    return true;
  }
  return checkAll(models);
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(`check-models: ${error.message}`);
  process.exitCode = 1;
}
