// For tests: the command as a process, also as another user, and brokers with a policy file.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Nothing of the user's own broker, job or colours. */
const ENVIRONMENT: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };

/** Whom a command runs as. */
export interface Person {
  readonly uid: number;
  readonly groups?: readonly number[];
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why commands can't be run as another user here; false if they can. */
export function whyNoOthers(): string | false {
  if (process.getuid?.() !== 0) return 'only root can become another user';
  const { program, words } = commandLine(['--version'], { uid: 4711 });
  const { status, error } = spawnSync(program, words, { env: ENVIRONMENT, cwd: '/' });
  if (error !== undefined) return `there is no setpriv(1): ${error.message}`;
  return status === 0 ? false : 'other users may not read this repository';
}

function commandLine(words: readonly string[], as: Person | undefined): { program: string; words: string[] } {
  const command = [process.execPath, MAIN, ...words];
  if (as === undefined) return { program: process.execPath, words: command.slice(1) };
  const { uid, groups = [] } = as;
  const supplementary = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return { program: 'setpriv', words: [`--reuid=${uid}`, `--regid=${uid}`, supplementary, ...command] };
}

/** Starts the command; it is ended with the test. */
export function start(t: TestContext, words: readonly string[], as?: Person): ChildProcess {
  const { program, words: all } = commandLine(words, as);
  const child = spawn(program, all, { env: ENVIRONMENT, cwd: '/', stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

export async function finish(child: ChildProcess, input?: string): Promise<Result> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Runs the command to its end. */
export function sealane(
  t: TestContext,
  words: readonly string[],
  as?: Person,
  input?: string,
): Promise<Result> {
  return finish(start(t, words, as), input);
}

/** A directory that all users may pass, removed with the test. */
export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealane-policy-test-'));
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A broker that obeys a policy file. */
export interface PolicyBroker {
  readonly socket: string;
  readonly file: string;
  readonly process: ChildProcess;
  /** Writes a policy, has it read, and resolves with what the broker says about it, up to the line that ends it. */
  reload(text: string): Promise<string[]>;
  /** The next line on standard error. */
  said(): Promise<string>;
}

export async function startBroker(t: TestContext, text: string, as?: Person): Promise<PolicyBroker> {
  const folder = folderOf(t);
  const [socket, file] = [join(folder, 'broker.sock'), join(folder, 'policy.toml')];
  writeFileSync(file, text);
  if (as !== undefined) chownSync(folder, as.uid, as.uid);
  const child = start(t, ['broker', '--socket', socket, '--policy', file], as);
  assert.ok(child.stdout !== null && child.stderr !== null);
  const errors = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (): Promise<string> => {
    const { value, done } = await errors.next();
    assert.ok(!done, 'the broker has ended');
    return value;
  };
  const { done } = await lines.next();
  if (done) assert.fail(`the broker does not start: ${await said()}`);
  const reload = async (next: string): Promise<string[]> => {
    writeFileSync(file, next);
    child.kill('SIGHUP');
    const all: string[] = [];
    do all.push(await said());
    while (!/in force/.test(all.at(-1) ?? ''));
    return all;
  };
  return { socket, file, process: child, reload, said };
}
