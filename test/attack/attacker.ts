// An attacking process: `attacker.js ATTACK SOCKET MEMFDBUS-SOCKET`. Repeats the rounds of one attack until it is told to stop. A message `report` asks what
// came back so far; `stop` ends it, and closes everything first.
import { Kit, Stopped } from './attack.js';
import { attackNamed } from './attacks/index.js';

/** What came back so far. */
export interface Report {
  readonly attempts: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** The attack itself is broken. */
  readonly fault?: string;
}

let fault: string | undefined;

function report(kit: Kit): Report {
  const { attempts } = kit;
  const outcomes = Object.fromEntries(kit.outcomes);
  return { attempts, outcomes, ...(fault === undefined ? {} : { fault }) };
}

const [name = '', socket = '', memfdbusSocket = ''] = process.argv.slice(2);
const attack = attackNamed(name);
const kit = new Kit(socket, memfdbusSocket);
let ended: Promise<void> | undefined;

async function repeat(): Promise<void> {
  try {
    for (; !kit.stopping; kit.turn++) {
      await attack.round(kit);
      // Rounds that never wait for anything must let messages through.
      await kit.pause();
    }
  } catch (error) {
    if (!(error instanceof Stopped))
      fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

process.on('message', async (question) => {
  if (question === 'stop') {
    kit.stop();
    await ended;
  }
  process.send?.(report(kit));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
ended = repeat();
