/**
 * Kills publishers and subscribers at random moments, again and again, and looks at those who live on: what they received, what they
 * hold, and what is left of the dead. Owns all processes that it starts. The same seed makes the same plan; moments differ.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FullAction, ServiceOptions } from 'sealane';
import { Domain, listNodes, listServices } from 'sealane/internal';
import type { ActorPlan, Order, PortPlan, Report } from './actor.test.helper.js';
import { holdersOf } from './kernel.test.helper.js';
import { between, randomFrom } from './payload.test.helper.js';

export interface SoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** Told after each kill. */
  readonly onKill?: (count: number) => void;
}

export interface SoakResult {
  /** Samples that the survivors received. */
  readonly received: number;
  /** Samples that the survivors sent. */
  readonly sent: number;
}

interface ServicePlan {
  readonly service: string;
  readonly settings: ServiceOptions & { readonly history: number };
  readonly whenFull: FullAction;
}

const ACTOR = fileURLToPath(new URL('./actor.test.helper.js', import.meta.url));
/** Processes that are to be killed, at one time. */
const MORTALS = 3;
/** Longest life of one after it is ready, in milliseconds. */
const MAX_LIFE_MS = 120;
/** How long is waited for what must come true, far above what it takes. */
const WATCHDOG_MS = 60_000;

/** A process of actor.test.helper.ts. */
class Actor {
  readonly child: ChildProcess;
  readonly ready: Promise<Report>;
  readonly exited: Promise<unknown>;
  readonly #errors: string[] = [];
  readonly #waiting: ((report: Report | undefined) => void)[] = [];
  killed = false;

  constructor(plan: ActorPlan) {
    this.child = spawn(process.execPath, [ACTOR, JSON.stringify(plan)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
    this.exited = once(this.child, 'exit');
    this.child.once('exit', () => {
      for (const answer of this.#waiting.splice(0)) answer(undefined);
    });
    this.child.on('message', (report: Report) => this.#onReport(report));
    this.ready = this.#next();
  }

  /** Throws when it failed, or ended by itself. */
  check(): void {
    const { exitCode, signalCode } = this.child;
    const ended = exitCode !== null || signalCode !== null;
    if (this.#errors.length > 0 || (ended && !this.killed))
      throw new Error(`an actor failed (${exitCode ?? signalCode}): ${this.#errors.join('')}`);
  }

  async order(order: Order): Promise<Report> {
    const answer = this.#next();
    this.child.send(order);
    return await answer;
  }

  async kill(): Promise<void> {
    this.check();
    this.killed = true;
    this.child.kill('SIGKILL');
    await this.exited;
  }

  #onReport(report: Report): void {
    if (report.type === 'failure') this.#errors.push(report.text ?? '');
    else this.#waiting.shift()?.(report);
  }

  /** The next report; one without content when it ends before. */
  async #next(): Promise<Report> {
    const report = await new Promise<Report | undefined>((resolve) => this.#waiting.push(resolve));
    if (!this.killed) this.check();
    return report ?? { type: 'answer' };
  }
}

/** Runs the whole test. */
export async function soak({ kills, seed, onKill }: SoakOptions): Promise<SoakResult> {
  const directory = mkdtempSync(join(tmpdir(), 'sealane-soak-'));
  const soaking = new Soak(directory, seed);
  try {
    await soaking.begin();
    await soaking.kill(kills, onKill ?? (() => undefined));
    return await soaking.finish();
  } finally {
    await soaking.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

class Soak {
  readonly #random: () => number;
  readonly #plans: readonly ServicePlan[];
  readonly #actors = new Set<Actor>();
  readonly #inodes = new Set<number>();
  #publishers: Actor | undefined;
  #subscribers: Actor | undefined;

  constructor(
    private readonly directory: string,
    seed: number,
  ) {
    this.#random = randomFrom(seed);
    this.#plans = servicePlans(this.#random);
  }

  /** Those who live on: one process publishes in all services, one subscribes to all. */
  async begin(): Promise<void> {
    const survivor = (role: PortPlan['role']) =>
      this.#start(this.#plans.map((plan) => this.#port(plan, role, false)));
    this.#publishers = survivor('publisher');
    this.#subscribers = survivor('subscriber');
    await Promise.all([this.#publishers.ready, this.#subscribers.ready]);
  }

  async kill(kills: number, onKill: (count: number) => void): Promise<void> {
    let begun = 0;
    let count = 0;
    const line = async (): Promise<void> => {
      while (begun < kills) {
        begun += 1;
        await this.#liveAndDie();
        onKill(++count);
        for (const actor of this.#actors) actor.check();
      }
    };
    await Promise.all(Array.from({ length: MORTALS }, line));
  }

  /** Looks at what is left: of the dead, then of those who lived on. */
  async finish(): Promise<SoakResult> {
    const { publishers, subscribers } = this.#survivors();
    const count = this.#plans.length;
    const settled = { count, slotMappings: count, controlMappings: count };
    await comesTrue('publishers have the living only', settled, async () => {
      const { publishers: states = [], holdings } = await publishers.order('settled');
      const connected = states.filter((state) => state.subscribers === 1).length;
      return { count: connected, ...mappings(holdings) };
    });
    await comesTrue('subscribers have the living only', settled, async () => {
      const { subscribers: states = [], holdings } = await subscribers.order('settled');
      const connected = states.filter((state) => state.publishers === 1).length;
      return { count: connected, ...mappings(holdings) };
    });
    await this.#checkFiles(2);
    const { publishers: sent = [] } = await publishers.order('stop-sending');
    const { subscribers: received = [] } = await subscribers.order('stop-receiving');
    const history = this.#plans.map(({ settings }) => settings.history);
    await comesTrue('every pool is whole', history, async () =>
      ((await publishers.order('figures')).publishers ?? []).map(({ usedSlots }) => usedSlots),
    );
    for (const survivor of [publishers, subscribers]) await this.#checkHoldings(survivor);
    await this.#checkFiles(0);
    assert.deepEqual(holdersOf(this.#inodes), [], 'nobody has the memory of any publisher');
    for (const { service, received: samples } of received)
      assert.ok(samples > 100, `${service}: ${samples} samples received`);
    return {
      received: sum(received.map((state) => state.received)),
      sent: sum(sent.map((state) => state.sent)),
    };
  }

  /** Ends whatever still runs. */
  async end(): Promise<void> {
    for (const { child, exited } of this.#actors) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await exited;
    }
  }

  async #checkHoldings(survivor: Actor): Promise<void> {
    const { before } = await survivor.order('figures');
    assert.ok(before !== undefined);
    await comesTrue(
      'a survivor holds what it held before',
      before,
      async () => (await survivor.order('close')).holdings,
    );
    this.#actors.delete(survivor);
    await survivor.kill();
  }

  /** One look at the domain, then nothing is left but what that many nodes have. */
  async #checkFiles(nodes: number): Promise<void> {
    const domain = Domain.open({ directory: this.directory });
    listNodes(domain);
    listServices(domain);
    const names = readdirSync(domain.path, { recursive: true, encoding: 'utf8' });
    const left = names.filter((name) => !['lock', 'nodes', 'services'].includes(name));
    const services = nodes === 0 ? 0 : this.#plans.length;
    // Of each node two files; of each service a folder, its definition, and a participant and a port for each node.
    assert.equal(left.length, nodes * 2 + services * (2 + nodes * 2), left.join('\n'));
  }

  /** Some are killed while they start, most while they work. */
  async #liveAndDie(): Promise<void> {
    const actor = this.#start(this.#mortalPorts());
    if (this.#random() < 0.15) await pause(between(this.#random, 0, 200));
    else {
      await actor.ready;
      await pause(this.#random() * MAX_LIFE_MS);
    }
    await actor.kill();
    this.#actors.delete(actor);
  }

  #start(ports: readonly PortPlan[]): Actor {
    const seed = between(this.#random, 1, 2 ** 31 - 1);
    const actor = new Actor({ directory: this.directory, seed, ports });
    this.#actors.add(actor);
    void actor.ready.then(
      ({ inodes = [] }) => {
        for (const inode of inodes) this.#inodes.add(inode);
      },
      () => undefined,
    );
    return actor;
  }

  /** One to three ports; the thread blocks only where all have the same role, since they would wait for each other. */
  #mortalPorts(): PortPlan[] {
    const random = this.#random;
    const roles = Array.from({ length: between(random, 1, 3) }, () =>
      random() < 0.5 ? 'publisher' : 'subscriber',
    );
    const alike = new Set(roles).size === 1;
    const blocking = roles.length === 1 && random() < 0.5;
    return roles.map((role) => {
      const plan = this.#plans[between(random, 0, this.#plans.length - 1)] as ServicePlan;
      return this.#port(plan, role, blocking && alike);
    });
  }

  #port({ service, settings, whenFull }: ServicePlan, role: PortPlan['role'], blocking: boolean): PortPlan {
    const random = this.#random;
    const bufferSize = between(random, 1, settings.bufferSize ?? 1);
    const maxBorrowed = between(random, 1, settings.maxBorrowed ?? 1);
    const tier = random() < 0.5 ? 'hot' : 'checked';
    return { role, service, settings, whenFull, bufferSize, maxBorrowed, tier, blocking };
  }

  #survivors() {
    assert.ok(this.#publishers !== undefined && this.#subscribers !== undefined);
    return { publishers: this.#publishers, subscribers: this.#subscribers };
  }
}

/** One service of each kind. */
function servicePlans(random: () => number): ServicePlan[] {
  const settings = (overflow: boolean) => ({
    ...{ overflow, maxBytes: 65_536, maxPublishers: 16, maxSubscribers: 16 },
    ...{
      bufferSize: between(random, 1, 8),
      maxBorrowed: between(random, 1, 4),
      history: between(random, 0, 3),
    },
  });
  return [
    { service: 'overflowing', settings: settings(true), whenFull: 'wait' },
    { service: 'waiting', settings: settings(false), whenFull: 'wait' },
    { service: 'dropping', settings: settings(false), whenFull: 'drop' },
    { service: 'growing', settings: { ...settings(true), payload: 'growing' }, whenFull: 'wait' },
    { service: 'growing, waiting', settings: { ...settings(false), payload: 'growing' }, whenFull: 'wait' },
  ];
}

function mappings(holdings: Report['holdings']) {
  const { slotMappings = -1, controlMappings = -1 } = holdings ?? {};
  return { slotMappings, controlMappings };
}

/** Looks until it is so; says how it is where it never is. */
async function comesTrue<T>(what: string, expected: T, look: () => Promise<T | undefined>): Promise<void> {
  const deadline = performance.now() + WATCHDOG_MS;
  for (;;) {
    const actual = await look();
    if (performance.now() > deadline) return assert.deepEqual(actual, expected, what);
    if (JSON.stringify(actual) === JSON.stringify(expected)) return;
    await pause(10);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
