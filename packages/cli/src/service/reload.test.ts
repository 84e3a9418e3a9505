// SIGHUP: parts that are read anew, and the two meanings of the signal.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Hangup } from './hangup.js';
import { Reload } from './reload.js';
import { cleanEnvironment, folderOf, MAIN } from './service.test.helper.js';

test('every part has its turn, and one that fails is reported', async () => {
  const said: string[] = [];
  const reload = new Reload((error) => said.push((error as Error).message));
  reload.add(() => {
    throw new Error('thrown');
  });
  reload.add(async () => {
    await Promise.reject(new Error('rejected'));
  });
  reload.add(() => {
    said.push('read');
  });
  await reload.run();
  assert.deepEqual(said, ['thrown', 'rejected', 'read']);
});

test('requests to reload that come while one is served are one more', async () => {
  let served = 0;
  let finish: () => void = () => undefined;
  using _hangup = new Hangup(() => {
    served++;
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  const request = () => process.emit('SIGHUP', 'SIGHUP');
  for (let count = 0; count < 3; count++) request();
  assert.equal(served, 1);
  for (const expected of [2, 2]) {
    finish();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(served, expected);
  }
  request();
  assert.equal(served, 3);
  finish();
});

test('a broker whose terminal goes away ends, and takes its socket away', async (t) => {
  if (spawnSync('script', ['--version']).status !== 0)
    return t.skip('there is no script(1) to make a terminal');
  const folder = folderOf(t);
  const socket = join(folder, 'broker.sock');
  const pidFile = join(folder, 'pid');
  const command = `echo $$ > '${pidFile}'; exec '${process.execPath}' '${MAIN}' broker --socket '${socket}'`;
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], { env: cleanEnvironment() });
  t.after(() => terminal.kill('SIGKILL'));
  let shown = '';
  for await (const chunk of terminal.stdout) {
    shown += chunk;
    if (shown.includes('Ctrl-C')) break;
  }
  const pid = Number(readFileSync(pidFile, 'utf8'));
  t.after(() => existsSync(`/proc/${pid}`) && process.kill(pid, 'SIGKILL'));
  terminal.kill('SIGKILL');
  while (existsSync(`/proc/${pid}/exe`)) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(!existsSync(socket), 'it was killed, or did not clean up');
});
