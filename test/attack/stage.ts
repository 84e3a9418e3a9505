// A broker, a well-behaved client beside it, and the attacks that are made on them: what came back, what the client noticed, and what
// the broker still holds afterwards. Owns all processes and the folder of the socket.
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Actor, type ActorOptions, scriptPath } from './actor.js';
import type { Attack, ChosenOptions, Role, Users } from './attack.js';
import type { Report } from './attacker.js';
import type { Places } from './places.js';
import type { Holdings } from './probe.js';
import type { Account, Question } from './victim.js';

/** What bounds a wait for something that is bound to come: far above what it takes on a slow machine. */
const WATCHDOG_MS = 60_000;

const SOCKET_NAME = 'broker.sock';
const MEMFDBUS_NAME = 'memfdbus.sock';

/** How often something is looked at that nobody announces, in milliseconds. */
const LOOK_MS = 10;

/** How long the client plays before anything is measured: the engine compiles what is used often. */
const WARM_UP_MS = 200;

/** Rounds that the client plays at least, undisturbed and under attack. */
const LEAST_ROUNDS = 20;

/**
 * What the broker's heap may have more of after an attack: code that was compiled for it, caches of the engine. Far below what an attack would leave
 * if anything of an attempt stayed.
 */
const HEAP_ALLOWANCE_BYTES = 8 << 20;

/** Where a broker listens. */
interface Sockets {
  readonly socket: string;
  readonly memfdbusSocket: string;
}

export interface Result {
  readonly attack: Attack;
  readonly role: Role;
  readonly attempts: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly undisturbed: Account;
  readonly attacked: Account;
  /** What is wrong; empty: the attack came to nothing. */
  readonly faults: readonly string[];
}

export class Stage implements AsyncDisposable {
  private constructor(
    private readonly users: Users,
    private readonly places: Places,
    private readonly folder: string,
    private readonly broker: Actor,
    private readonly victim: Actor,
  ) {}

  static async open(
    users: Users,
    places: Places,
    options: ChosenOptions,
    victimJob?: string,
  ): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'sealane-attack-'));
    const identity = { uid: process.geteuid?.() === 0 ? users.own : undefined };
    const actors: Actor[] = [];
    try {
      chmodSync(folder, 0o755);
      if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.uid);
      const socket = join(folder, SOCKET_NAME);
      const broker = startBroker(
        { ...options, socket, memfdbusSocket: join(folder, MEMFDBUS_NAME) },
        { ...identity, through: places.broker },
      );
      actors.push(broker);
      await broker.firstOutput();
      const job = victimJob === undefined ? [] : [victimJob];
      const victim = new Actor('the client', scriptPath('victim'), [socket, ...job], {
        ...identity,
        through: places.client,
      });
      actors.push(victim);
      await victim.next();
      const stage = new Stage(users, places, folder, broker, victim);
      await stage.#play(WARM_UP_MS);
      return stage;
    } catch (error) {
      for (const actor of actors) await actor.end();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get socket(): string {
    return join(this.folder, SOCKET_NAME);
  }

  get memfdbusSocket(): string {
    return join(this.folder, MEMFDBUS_NAME);
  }

  /** Makes an attack for `measureMs`, and until everything that is expected came back. The client plays as long undisturbed before. */
  async run(attack: Attack, role: Role, measureMs: number): Promise<Result> {
    const before = await this.#holdings();
    const undisturbed = await this.#play(measureMs);
    const { attacked, reports } = await this.#attack(attack, role, measureMs);
    const { attempts, outcomes } = sum(reports);
    const faults = [
      ...reports.flatMap(({ fault }) => (fault === undefined ? [] : [`the attacker failed: ${fault}`])),
      ...[undisturbed, attacked].flatMap(({ error }) =>
        error === undefined ? [] : [`the client failed: ${error}`],
      ),
      ...checkOutcomes(attack, outcomes),
      ...(await this.#checkAfterwards(before)),
    ];
    return { attack, role, attempts, outcomes, undisturbed, attacked, faults };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.victim.end();
    await this.broker.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Lets the client play for a time, and some rounds. */
  async #play(ms: number): Promise<Account> {
    await this.#ask('go');
    await wait(ms);
    await this.#roundsPlayed(LEAST_ROUNDS);
    return this.#ask('rest');
  }

  async #attack(attack: Attack, role: Role, ms: number): Promise<{ attacked: Account; reports: Report[] }> {
    const attackers = await this.#startAttackers(attack, role);
    try {
      await this.#ask('go');
      await wait(ms);
      await until('everything that is expected comes back', async () => {
        const { outcomes, faulty } = sum(
          await Promise.all(attackers.map((one) => one.ask<Report>('report'))),
        );
        return faulty || attack.expected.every((outcome) => (outcomes[outcome] ?? 0) > 0);
      }).catch(() => undefined);
      await this.#roundsPlayed(LEAST_ROUNDS);
      const attacked = await this.#ask<Account>('rest');
      const reports = await Promise.all(attackers.map((one) => one.ask<Report>('stop')));
      return { attacked, reports };
    } finally {
      for (const attacker of attackers) await attacker.end();
    }
  }

  async #startAttackers(attack: Attack, role: Role): Promise<Actor[]> {
    const uid = process.geteuid?.() === 0 ? this.users[role] : undefined;
    const attackers: Actor[] = [];
    for (let index = 0; index < (attack.processes ?? 1); index++) {
      const args = [attack.name, this.socket, this.memfdbusSocket];
      attackers.push(
        new Actor('an attacker', scriptPath('attacker'), args, { uid, through: this.places.attackers }),
      );
    }
    await Promise.all(attackers.map((attacker) => attacker.next()));
    return attackers;
  }

  /** The broker serves those who come, and holds what it held. */
  async #checkAfterwards(before: Holdings & { objects: number }): Promise<string[]> {
    const faults: string[] = [];
    const visit = await this.#ask<string>('visit');
    if (visit !== 'ok') faults.push(`a client that came afterwards failed: ${visit}`);
    let after = before;
    const settled = until('the broker holds what it held', async () => {
      after = await this.#holdings();
      return (
        after.descriptors === before.descriptors &&
        after.objects === before.objects &&
        after.heapBytes <= before.heapBytes + HEAP_ALLOWANCE_BYTES
      );
    });
    await settled.catch(() =>
      faults.push(`the broker held ${JSON.stringify(before)}, and now ${JSON.stringify(after)}`),
    );
    return faults;
  }

  async #holdings(): Promise<Holdings & { objects: number }> {
    const objects = await this.#ask<number>('count');
    return { ...(await this.broker.ask<Holdings>('holdings')), objects };
  }

  async #roundsPlayed(least: number): Promise<void> {
    await until('the client plays its rounds', async () => {
      const { rounds, error } = await this.#ask<Account>('account');
      return rounds >= least || error !== undefined;
    });
  }

  #ask<Reply>(question: Question): Promise<Reply> {
    return this.victim.ask<Reply>(question);
  }
}

/** `sealane broker`, or, for options that the command does not take, a program that embeds one. */
function startBroker(
  options: ChosenOptions & Sockets,
  identity: Pick<ActorOptions, 'uid' | 'through'>,
): Actor {
  const execArgv = ['--expose-gc', '--import', scriptPath('probe')];
  if (options.policy !== undefined)
    return new Actor('the broker', scriptPath('host'), [JSON.stringify(options)], { ...identity, execArgv });
  const command = fileURLToPath(new URL('../../../packages/cli/bin/sealane.js', import.meta.url));
  return new Actor('the broker', command, ['broker', ...commandOptions(options)], { ...identity, execArgv });
}

/** BrokerOptions as options of the command. */
function commandOptions({
  socket,
  memfdbusSocket,
  users = [],
  ...limits
}: ChosenOptions & Sockets): string[] {
  const args = [
    '--socket',
    socket,
    '--memfdbus-socket',
    memfdbusSocket,
    ...users.flatMap((uid) => ['--user', String(uid)]),
  ];
  for (const [name, value] of Object.entries(limits)) {
    const flag = name.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    args.push(`--${flag}`, name.endsWith('Ms') ? `${value}ms` : String(value));
  }
  return args;
}

function sum(reports: readonly Report[]): {
  attempts: number;
  outcomes: Record<string, number>;
  faulty: boolean;
} {
  const outcomes: Record<string, number> = {};
  let attempts = 0;
  for (const report of reports) {
    attempts += report.attempts;
    for (const [outcome, count] of Object.entries(report.outcomes))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  }
  return { attempts, outcomes, faulty: reports.some(({ fault }) => fault !== undefined) };
}

function checkOutcomes(
  { expected, possible = [] }: Attack,
  outcomes: Readonly<Record<string, number>>,
): string[] {
  const missing = expected.filter((outcome) => outcomes[outcome] === undefined);
  const allowed = new Set([...expected, ...possible]);
  const surprising = Object.keys(outcomes).filter((outcome) => !allowed.has(outcome));
  return [
    ...missing.map((outcome) => `"${outcome}" never came back`),
    ...surprising.map(
      (outcome) => `"${outcome}" came back, ${outcomes[outcome]} times, which is not expected`,
    ),
  ];
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks until it holds; rejects when it does not by far. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WATCHDOG_MS;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`it never came that ${what}`);
    await wait(LOOK_MS);
  }
}
