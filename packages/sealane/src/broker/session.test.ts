/** A connection whose broker has a bug: what throws unexpectedly harms one request only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnixSocket } from '../os/unix-socket.js';
import { STATUS } from '../wire/index.js';
import { UserAuthority } from './authority.js';
import { Backlogs } from './backlog.js';
import { Flights } from './flights.js';
import { Admission } from './identity.js';
import { limitsOf, settle } from './options.js';
import { get, RawClient } from './raw-client.test.helper.js';
import type { Services } from './services.js';
import { Session } from './session.js';
import { FairWork } from './work.js';

test('a request that meets a bug is answered with internal, and the connection goes on', async () => {
  const settings = settle({}, 20_000);
  let bugs = 0;
  const services = {
    settings,
    limits: limitsOf(settings),
    authority: new UserAuthority(Admission.ofThisProcess([])),
    backlogs: new Backlogs(1),
    work: new FairWork(),
    flights: new Flights(1_000),
    store: {
      sweep: () => {
        bugs++;
        throw new TypeError('a bug');
      },
    },
  };
  const [near, far] = UnixSocket.pair();
  await new Promise<void>((resolve, reject) => {
    const session = new Session(services as unknown as Services, near, undefined, () => resolve());
    provokeTwice(new RawClient(far)).catch((error) => {
      session.stop();
      reject(error);
    });
  });
  assert.equal(bugs, 2);
});

async function provokeTwice(client: RawClient): Promise<void> {
  await client.hello();
  for (let count = 0; count < 2; count++) {
    const { response } = await client.call(get('a'));
    assert(response.type === 'error' && response.status === STATUS.internal);
    assert.match(response.text, /a bug/);
  }
  client.close();
}
