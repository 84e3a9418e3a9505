/** Shares of the descriptors that are under way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlightShare } from './flight.js';

/** A connection whose peer reads when it is told to. */
function peer(share: FlightShare) {
  const state = { unread: 0 };
  const route = share.open(() => state.unread);
  return {
    route,
    send(count: number): boolean {
      if (!route.mayCarry(count)) return false;
      route.carried(count);
      state.unread += count;
      return true;
    },
    read(): void {
      state.unread = 0;
    },
  };
}

test('who reads what it is sent is sent without end', () => {
  const reader = peer(new FlightShare(4));
  for (let count = 0; count < 100; count++) {
    assert(reader.send(1));
    reader.read();
  }
});

test('who does not read uses up the share, and gets more once it has read all', () => {
  const reader = peer(new FlightShare(4));
  for (let count = 0; count < 4; count++) assert(reader.send(1));
  assert.equal(reader.send(1), false);
  reader.read();
  assert(reader.send(4));
  assert.equal(reader.send(1), false);
});

test('what others of the share have read is found', async () => {
  const share = new FlightShare(4);
  const first = peer(share);
  const second = peer(share);
  assert(first.send(4));
  assert.equal(second.send(1), false);
  first.read();
  // Looked for again some milliseconds later.
  while (!second.send(1)) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(share.underWay, 1);
});

test('one share within another leaves the rest to others, and a closed connection gives back what it had', () => {
  const all = new FlightShare(6);
  const idle = peer(new FlightShare(4, all));
  const other = peer(new FlightShare(4, all));
  assert(idle.send(4));
  assert.equal(idle.send(1), false);
  assert(other.send(2));
  assert.equal(other.send(1), false, 'all six are under way');
  idle.route.close();
  assert.equal(all.underWay, 2);
  assert(other.send(2));
  other.route.close();
  assert.equal(all.underWay, 0);
});

test('a share that is too small for a message carries it when nothing else is under way', () => {
  const reader = peer(new FlightShare(1));
  assert(reader.send(2));
  assert.equal(reader.send(1), false);
  reader.read();
  assert(reader.send(2));
});
