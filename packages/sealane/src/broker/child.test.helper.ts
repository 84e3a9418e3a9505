/**
 * For tests, run as a process of its own: a broker (arguments: `broker`, its options as JSON), or a client (arguments: `client`,
 * whom to become as JSON, the socket). A client makes the calls that it is sent, each with a sealed memfd if it is a put, and tells the answers.
 * Ends when its parent disconnects.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Memfd } from '../os/memfd.js';
import type { Response } from '../wire/index.js';
import { Broker } from './broker.js';
import type { BrokerOptions } from './options.js';
import { type Call, RawClient } from './raw-client.test.helper.js';

/** This file as a process that ends with the test; resolves when it is ready. `through`: a program that starts it, with arguments. */
async function start(
  t: TestContext,
  words: readonly string[],
  through: readonly string[],
): Promise<ChildProcess> {
  const command = [...through, process.execPath, fileURLToPath(import.meta.url), ...words];
  const [program = '', ...more] = command;
  const child = spawn(program, more, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  t.after(async () => {
    // What a program between us and the process leaves alive ends by this.
    if (child.connected) child.disconnect();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  assert.equal(message, 'ready', `${command.join(' ')} ended`);
  return child;
}

/** Starts a broker in a process of its own, which is killed with the test; resolves when it listens. */
export function forkBroker(
  t: TestContext,
  options: BrokerOptions,
  through: readonly string[] = [],
): Promise<ChildProcess> {
  return start(t, ['broker', JSON.stringify(options)], through);
}

/** Whom a client becomes: a user with some supplementary groups, in a directory of the control group file system. */
export interface Becoming {
  /** Undefined: it stays who it is. */
  readonly uid?: number;
  readonly groups?: readonly number[];
  readonly cgroup?: string;
}

/** A client in a process of another user. */
export async function forkClient(
  t: TestContext,
  user: number | Becoming,
  socket: string,
  through: readonly string[] = [],
): Promise<(call: Call) => Promise<Response>> {
  const becoming = typeof user === 'number' ? { uid: user } : user;
  const child = await start(t, ['client', JSON.stringify(becoming), socket], through);
  return async (call) => {
    const answer = once(child, 'message');
    child.send(call);
    const [response] = await answer;
    return response as Response;
  };
}

/** Sets RLIMIT_NOFILE of a process; false, with the test skipped, where that can't be done. */
export function setDescriptorLimit(t: TestContext, pid: number, limit: number): boolean {
  const { status, error, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`], {
    encoding: 'utf8',
  });
  if (status === 0) return true;
  t.skip(`prlimit can't change the limit of another process here: ${error ?? stderr}`);
  return false;
}

async function runBroker(options: BrokerOptions): Promise<void> {
  const broker = await Broker.start(options);
  process.on('disconnect', () => void broker.stop());
  process.send?.('ready');
}

function runClient({ uid, groups, cgroup }: Becoming, socket: string): void {
  // Loads what it needs while it still may: the repository need not be readable by that user.
  Memfd.sealed('test', new Uint8Array(1)).close();
  if (cgroup !== undefined) writeFileSync(join(cgroup, 'cgroup.procs'), String(process.pid));
  if (uid !== undefined) {
    process.setgroups?.([...(groups ?? [])]);
    process.setgid?.(uid);
    process.setuid?.(uid);
  }
  const client = new RawClient(socket);
  process.on('disconnect', () => client.close());
  process.on('message', async (call: Call) => {
    using memfd = Memfd.sealed('test', new Uint8Array(call.type === 'put' ? call.size : 0));
    const { response } = await client.call(call, call.type === 'put' ? [memfd.fd] : []);
    process.send?.(response);
  });
  process.send?.('ready');
}

const [, script, role, first = '', second = ''] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  if (role === 'broker') await runBroker(JSON.parse(first) as BrokerOptions);
  else runClient(JSON.parse(first) as Becoming, second);
}
