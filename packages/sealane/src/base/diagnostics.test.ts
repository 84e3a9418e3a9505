/** Channels of diagnostics: who listens is told, in a process of its own with NODE_DEBUG in lines. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { diagnostics } from './diagnostics.js';
import { SealaneError } from './errors.js';

const MESSAGE = { part: 'broker', peer: { pid: 1, uid: 2 } } as const;

test('a message is wanted while somebody listens to its channel, and told to all who do', () => {
  const told: unknown[] = [];
  const listen = (message: unknown, name: string | symbol) => void told.push([name, message]);
  assert.equal(diagnostics.connected.wanted, false);
  subscribe('sealane:connected', listen);
  assert.deepEqual([diagnostics.connected.wanted, diagnostics.refused.wanted], [true, false]);
  diagnostics.connected.tell(MESSAGE);
  unsubscribe('sealane:connected', listen);
  assert.deepEqual(told, [['sealane:connected', MESSAGE]]);
  assert.equal(diagnostics.connected.wanted, false);
});

const PROGRAM = `
import { diagnostics } from ${JSON.stringify(new URL('./diagnostics.js', import.meta.url).href)};
import { SealaneError } from ${JSON.stringify(new URL('./errors.js', import.meta.url).href)};
const peer = { node: 'ab', port: 2, pid: 7 };
const message = { part: 'services', service: 'a "b"\\n', node: 'cd', kind: 'publisher', port: 1, peer };
const error = new SealaneError('ERR_SEALANE_PROTOCOL', 'it lied');
if (diagnostics.disconnected.wanted) diagnostics.disconnected.tell({ ...message, error });
if (diagnostics.lost.wanted) diagnostics.lost.tell({ ...message, samples: 5 });
`;

function stderrOf(debug: string): string {
  const env = { ...process.env, NODE_DEBUG: debug };
  const words = ['--input-type=module', '--eval', PROGRAM];
  return spawnSync(process.execPath, words, { env, encoding: 'utf8' }).stderr;
}

test('with NODE_DEBUG=sealane each message is one line on the standard error output, else none is', () => {
  const port = 'part=services service="a \\"b\\"\\n" node=cd kind=publisher port=1';
  const both = `${port} peer.node=ab peer.port=2 peer.pid=7`;
  const lines = stderrOf('sealane').replaceAll(/^SEALANE \d+: /gm, '');
  assert.equal(
    lines,
    `disconnected ${both} error=ERR_SEALANE_PROTOCOL text="it lied"\nlost ${both} samples=5\n`,
  );
  assert.equal(stderrOf(''), '');
});

test('the error of a message is the one that was meant', () => {
  const error = new SealaneError('ERR_SEALANE_PROTOCOL', 'it lied');
  let told: unknown;
  const listen = (message: unknown) => {
    told = (message as { error: unknown }).error;
  };
  subscribe('sealane:disconnected', listen);
  diagnostics.disconnected.tell({ ...MESSAGE, error });
  unsubscribe('sealane:disconnected', listen);
  assert.equal(told, error);
});
