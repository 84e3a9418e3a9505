/** `sealane doctor`: what this machine supports, what follows from it, and what to do. Changes nothing. */
import { release } from 'node:os';
import { connect } from 'sealane';
import { type Capabilities, defaultSocketPath, readCapabilities } from 'sealane/internal';
import {
  absentBroker,
  checkCapabilities,
  checkPlatform,
  type Finding,
  missingAddon,
  presentBroker,
} from '../doctor/checks.js';
import { EXIT } from '../exit-codes.js';
import { describeFailure } from '../failure.js';
import { escapeControls, field } from '../terminal/escape.js';
import type { Screen, Terminal } from '../terminal/terminal.js';
import { pad, wrap } from '../terminal/width.js';
import { type BusOptions, trustedUsersOf } from './bus.js';

/** A broker that needs longer than this is not well. */
const BROKER_TIMEOUT_MS = 2_000;

const STATE_COLUMNS = 'missing'.length;
const GAP = '  ';
/** On a narrower terminal the text is wrapped by the terminal itself. */
const MIN_TEXT_COLUMNS = 30;

/** Prints a line for each finding; the exit code is 1 when something essential is missing. */
export async function runDoctor(options: BusOptions, terminal: Terminal): Promise<void> {
  const platform = checkPlatform(process.platform, process.arch, release(), process.version);
  const { capabilities, findings } = examine();
  const all = [...platform, ...findings];
  if (capabilities !== undefined) all.push(await findBroker(options));
  const healthy = !all.some(({ state, essential }) => essential && state === 'missing');
  if (terminal.json) terminal.writeJson({ healthy, findings: all, capabilities });
  else print(all, healthy, terminal.out);
  if (!healthy) process.exitCode = EXIT.failure;
}

function examine(): { capabilities?: Capabilities; findings: Finding[] } {
  try {
    const capabilities = readCapabilities();
    return { capabilities, findings: checkCapabilities(capabilities) };
  } catch (error) {
    return { findings: [missingAddon(describeFailure(error).message)] };
  }
}

async function findBroker(options: BusOptions): Promise<Finding> {
  const { socket = defaultSocketPath() } = options;
  const trustedUsers = trustedUsersOf(options);
  try {
    await using bus = await connect({ socket, trustedUsers, timeoutMs: BROKER_TIMEOUT_MS });
    return presentBroker(socket, await bus.status());
  } catch (error) {
    const { message, hint } = describeFailure(error, { socket: options.socket });
    return absentBroker(socket, message, hint ?? 'start one with `sealane broker`');
  }
}

function print(findings: readonly Finding[], healthy: boolean, out: Screen): void {
  if (!out.terminal) {
    for (const { state, id, found, follows, remedy } of findings) {
      out.line([state, id, field(found), field(follows), field(remedy)].join('\t'));
    }
    return;
  }
  const width = Math.max(...findings.map(({ title }) => title.length));
  for (const finding of findings) printForPeople(finding, width, out);
  out.line('');
  out.line(healthy ? 'Sealane works on this machine.' : out.style.red('Something essential is missing.'));
}

function printForPeople(finding: Finding, titleColumns: number, out: Screen): void {
  const { style } = out;
  const { state, essential } = finding;
  const paint = { ok: style.green, limited: style.yellow, missing: essential ? style.red : style.yellow }[
    state
  ];
  const title = style.bold(pad(finding.title, titleColumns, 'left'));
  const indent = STATE_COLUMNS + titleColumns + 2 * GAP.length;
  const lines = (text: string | undefined) =>
    text === undefined ? [] : wrap(escapeControls(text), Math.max(MIN_TEXT_COLUMNS, out.columns - indent));
  const [first, ...more] = lines(finding.found);
  out.line([paint(pad(state, STATE_COLUMNS, 'left')), title, first].join(GAP));
  for (const line of more) out.line(' '.repeat(indent) + line);
  for (const line of lines(finding.follows)) out.line(' '.repeat(indent) + style.dim(line));
  // Not wrapped: it is often a command to copy.
  if (finding.remedy !== undefined) out.line(' '.repeat(indent) + escapeControls(finding.remedy));
}
