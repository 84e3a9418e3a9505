/** From a policy file to a policy, or to all that is wrong with it. What `sealane broker` takes is what `sealane policy check` checks. */
import type { Broker, PolicyOptions } from 'sealane';
import { checkPolicy } from 'sealane/internal';
import { EXIT } from '../exit-codes.js';
import { CommandError, describeFailure } from '../failure.js';
import { shellWord } from '../terminal/escape.js';
import { adviseOn } from './advice.js';
import { parsePolicy } from './document.js';
import type { Position } from './positions.js';
import { byPosition, type Problem } from './problems.js';
import { checkOwner, readPolicySource } from './source.js';
import { translate } from './translate.js';

/** What was read from a file. */
export interface LoadedPolicy {
  /** Undefined when there are errors. */
  readonly options: PolicyOptions | undefined;
  /** Errors and warnings in the order of the file. */
  readonly problems: readonly Problem[];
  readonly positions: ReadonlyMap<string, Position>;
  /** The user id of the file's owner. */
  readonly owner: number;
}

/** Reads a policy and all that can be said of it. Throws for a file that can't be read, or that others may write. */
export async function loadPolicy(file: string, { checkIds }: { checkIds: boolean }): Promise<LoadedPolicy> {
  const { text, owner } = await readPolicySource(file);
  const { document, problems, positions } = parsePolicy(text);
  if (document === undefined)
    return { options: undefined, problems: [...problems].sort(byPosition), positions, owner };
  const translated = await translate(document, positions, checkIds);
  const { options } = translated;
  if (options !== undefined) checkPolicy('policy', options);
  const advice = options === undefined ? [] : adviseOn(options, positions);
  return { options, problems: [...translated.problems, ...advice].sort(byPosition), positions, owner };
}

/** A policy that a broker of this user may obey, and what is to be warned of. Throws CommandError for a file with errors. */
export async function readPolicy(
  file: string,
): Promise<{ options: PolicyOptions; warnings: readonly Problem[] }> {
  const { options, problems, owner } = await loadPolicy(file, { checkIds: false });
  checkOwner(file, owner);
  if (options !== undefined) return { options, warnings: problems };
  const [first, ...more] = problems.filter(({ severity }) => severity === 'error');
  const place =
    first?.position === undefined ? file : `${file}:${first.position.line}:${first.position.column}`;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new CommandError(
    'ERR_SEALANE_CLI_POLICY',
    EXIT.badData,
    `the policy is wrong: ${place}: ${first?.at === undefined ? '' : `${first.at} `}${first?.message ?? ''}${others}`,
    `\`sealane policy check ${shellWord(file)}\` shows all that is wrong`,
  );
}

/** Has a broker obey what the file says now. Throws CommandError when that can't be, and then the broker keeps the policy it has. */
export async function reloadPolicy(broker: Broker, file: string): Promise<readonly Problem[]> {
  try {
    const { options, warnings } = await readPolicy(file);
    broker.setPolicy(options);
    return warnings;
  } catch (error) {
    const { code, message, hint, exitCode } = describeFailure(error);
    const stays = 'the policy that was there before stays in force';
    throw new CommandError(code, exitCode, message, hint === undefined ? stays : `${stays}; ${hint}`);
  }
}
