/**
 * For tests of domains: a fresh one, and processes that act in it. Run as a process of its own, this file does what its arguments say
 * (the directory, the action, the service, a step), and can be killed before any of its steps: a call of node:fs that changes something.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSealaneError } from '../../base/errors.js';
import { Domain } from './domain.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { publishNode } from './node-files.js';
import { NodeServices } from './service-files.js';

/** A directory that is removed with the test. */
export function freshDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A domain in a directory that is removed with the test. */
export function freshDomain(t: TestContext): Domain {
  return Domain.open({ directory: freshDirectory(t) });
}

/** A living node of this process, with its services. */
export function freshNode(t: TestContext, domain: Domain, name = 'node'): NodeServices {
  const node = publishNode(domain, name);
  const services = new NodeServices(domain, node.id);
  t.after(() => {
    services.close();
    node.close();
  });
  return services;
}

/** All that is in the folders of nodes and services, sorted. */
export function contents(domain: Domain): string[] {
  const names = readdirSync(domain.path, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => !['lock', 'domain.json', 'nodes', 'services'].includes(name)).sort();
}

/**
 * What a process does: `hold` publishes a node, opens or creates the service, announces a port and stays; `create` creates it and
 * stays; `pass` does as `hold` and then leaves everything again.
 */
export type Action = 'hold' | 'create' | 'pass';

/** A process that is ready to act in a domain, and does when it is told to. `killAt`: the step before which it is killed. */
export async function startActor(
  t: TestContext,
  domain: Domain,
  action: Action,
  service: string,
  killAt = -1,
): Promise<ChildProcess> {
  const kind = domain.shared === undefined ? 'private' : 'shared';
  const words = [domain.directory, action, service, String(killAt), kind];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.after(() => kill(child));
  assert.equal(await answer(child), 'ready');
  return child;
}

/** Tells a process to act, and resolves with what it says when it is done; undefined when it ended. */
export async function go(child: ChildProcess): Promise<unknown> {
  child.send('go');
  return await answer(child);
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [word] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])]);
  return word;
}

/** A process that has done what it was to do, and stays. */
export async function holder(t: TestContext, domain: Domain, service: string): Promise<ChildProcess> {
  const child = await startActor(t, domain, 'hold', service);
  assert.equal(await go(child), 'done');
  return child;
}

/** Ends a process by SIGKILL; resolves when it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const CHANGES = [
  'linkSync',
  'unlinkSync',
  'mkdirSync',
  'renameSync',
  'openSync',
  'writeFileSync',
  'rmSync',
  'rmdirSync',
  'chmodSync',
  'fchmodSync',
  'chownSync',
] as const;

/** Counts the calls that change something, and kills this process before the one of that number. */
function dieBefore(step: number): void {
  let count = 0;
  for (const name of CHANGES) {
    const original = fs[name] as (...values: unknown[]) => unknown;
    const counted = (...values: unknown[]) => {
      if (count++ === step) process.kill(process.pid, 'SIGKILL');
      return original(...values);
    };
    Object.assign(fs, { [name]: counted });
  }
  syncBuiltinESMExports();
}

function act(services: NodeServices, action: Action, name: string): void {
  if (action === 'create') services.create(PUBLISH_SUBSCRIBE, name);
  else services.openOrCreate(PUBLISH_SUBSCRIBE, name).announcePort('publisher', 1);
}

function runActor(domain: Domain, action: Action, name: string): void {
  const node = publishNode(domain, action);
  const services = new NodeServices(domain, node.id);
  act(services, action, name);
  if (action !== 'pass') return;
  services.close();
  node.close();
}

function tell(action: () => void): void {
  try {
    action();
    process.send?.('done');
  } catch (error) {
    process.send?.(isSealaneError(error) ? error.code : String(error));
  }
}

const [, script, directory = '', action = '', service = '', step = '', kind = ''] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  process.once('disconnect', () => process.exit());
  process.once('message', () => {
    if (Number(step) >= 0) dieBefore(Number(step));
    const place = kind === 'shared' ? { sharedDirectory: directory } : { directory };
    tell(() => runActor(Domain.open(place), action as Action, service));
  });
  process.send?.('ready');
}
