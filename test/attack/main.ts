// The attack suite: makes every attack in every role for some seconds, with a well-behaved client beside it, and prints what came back and how long the
// client's rounds took, undisturbed and under attack. Fails when anything came back that is not expected, when the client failed, or
// when the broker kept anything; slowness it only prints.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ATTACKS } from './attacks/index.js';
import { choosePlaces, describeMachine } from './places.js';
import type { Result } from './stage.js';
import { Stages } from './stages.js';
import { renderTable, rowOf } from './table.js';
import { Ground } from './trial.js';
import { TRIALS } from './trials/index.js';
import { buildPrograms, chooseUsers, hindrance, roleHindrance, unreadable, WHO } from './users.js';

const USAGE = `usage: npm run test:attack -- [options]
  --seconds N    how long the client is measured, undisturbed and under each attack (default 3)
  --only TEXT    only attacks and trials whose name contains it
  --json FILE    write the results as JSON too
  --markdown     print the table as Markdown
  --list         print the attacks and what they do`;

interface Options {
  readonly ms: number;
  readonly only: string;
  readonly json: string | undefined;
  readonly markdown: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      json: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 3_600)) throw new Error('--seconds must be a number from above 0 to 3600');
  const { only = '', markdown = false, list = false, help = false } = values;
  return { ms: seconds * 1_000, only, json: values.json, markdown, list, help };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function runAll(options: Options): Promise<Result[]> {
  buildPrograms();
  const users = chooseUsers();
  const places = choosePlaces();
  const unusable = unreadable(users);
  if (unusable !== undefined) throw new Error(unusable);
  print(describeMachine(places));
  await using stages = new Stages(users, places);
  const results: Result[] = [];
  for (const attack of ATTACKS.filter(({ name }) => name.includes(options.only))) {
    for (const role of attack.roles) {
      const reason = hindrance(attack, role);
      const title = `${attack.name}, ${WHO[role]}`;
      if (reason !== undefined) {
        print(`skipped: ${title}: ${reason}`);
        continue;
      }
      const stage = await stages.stageFor(attack);
      const result = await stage.run(attack, role, options.ms);
      for (const fault of result.faults) print(`FAILED: ${title}: ${fault}`);
      if (result.faults.length === 0) process.stderr.write(`${rowOf(result).join('  ')}\n`);
      results.push(result);
    }
  }
  return results;
}

/** Makes the trials. Gives how many did harm. */
async function tryAll(only: string): Promise<number> {
  let harmful = 0;
  for (const { name, role, run } of TRIALS.filter((trial) => trial.name.includes(only))) {
    const reason = roleHindrance(role);
    if (reason !== undefined) {
      print(`skipped: ${name}: ${reason}`);
      continue;
    }
    await using ground = new Ground(chooseUsers());
    try {
      print(`${name}: ${await run(ground)}`);
    } catch (error) {
      harmful++;
      print(`FAILED: ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return harmful;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options.help) print(USAGE);
  if (options.list) for (const { name, what } of ATTACKS) print(`${name}: ${what}`);
  if (options.help || options.list) return 0;
  const harmful = await tryAll(options.only);
  const results = await runAll(options);
  print(renderTable(results, options.markdown));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const failed = harmful + results.filter(({ faults }) => faults.length > 0).length;
  print(failed === 0 ? 'all attacks came to nothing' : `${failed} attacks did harm`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
