/** Texts that come from outside: variables of whoever started the process, and what /proc says of a peer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSealaneError } from '../base/errors.js';
import { takePassedSockets } from './activation.js';
import { unifiedPath } from './peer.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer().map(String),
  fc.constantFrom('0', '1', '2', '1025', '1e3', ' 1', '', 'a:b'),
);

test('any variables of socket activation name sockets that are there, or are a wrong argument; and they are removed', () => {
  const variables = fc.record(
    {
      LISTEN_PID: fc.oneof(anyText, fc.constant(String(process.pid))),
      LISTEN_PIDFDID: anyText,
      LISTEN_FDS: anyText,
      LISTEN_FDNAMES: fc.oneof(
        anyText,
        fc.array(fc.string()).map((names) => names.join(':')),
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(variables, (environment) => {
      const given = { ...environment };
      try {
        // Nobody has passed this process a listening socket.
        assert.deepEqual(takePassedSockets(given), []);
      } catch (error) {
        assert(isSealaneError(error, 'ERR_SEALANE_INVALID_ARGUMENT'), String(error));
      }
      assert.deepEqual(given, {});
    }),
    { numRuns: 2_000 },
  );
});

test('any text of a control group is the path of its unified line, or none', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((path) => `0::/${path}`),
    fc.constantFrom('0::/', '0::/..', '0::/../other', '1:name=systemd:/', '0:', '0::'),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = lines.join('\n');
      const path = unifiedPath(text);
      if (path === undefined) return;
      assert(path.startsWith('/') && !path.startsWith('/..') && !path.includes('\n'));
      assert(text.split('\n').includes(`0::${path}`));
    }),
    { numRuns: 2_000 },
  );
});
