/** The policy of `sealane broker`: read when it starts, and anew when it is asked to. Owns nothing but the name of the file. */
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Broker, PolicyOptions } from 'sealane';
import { escapeControls, jsonText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';
import { readPolicy, reloadPolicy } from './load.js';
import { type Problem, problemLine } from './problems.js';

/** Search permission for the group or for all. */
const OTHERS_SEARCH = 0o011;

export class CommandPolicy {
  private constructor(
    /** The policy to start with. */
    readonly options: PolicyOptions,
    private readonly file: string,
    private readonly terminal: Terminal,
  ) {}

  /** Reads the file, and says on standard error what it surely does not mean. Undefined without a file. Throws as readPolicy. */
  static async open(file: string | undefined, terminal: Terminal): Promise<CommandPolicy | undefined> {
    if (file === undefined) return undefined;
    const { options, warnings } = await readPolicy(file);
    const policy = new CommandPolicy(options, file, terminal);
    policy.#warn(warnings);
    return policy;
  }

  /**
   * What to do when the file is to be read anew; it rejects when the file is wrong, and the broker keeps the policy it has. Warns of
   * a socket that other users can't reach.
   */
  attach(broker: Broker): () => Promise<void> {
    const closed = closedDirectory(broker.socket);
    if (closed !== undefined && (this.options.admit ?? []).length > 0)
      this.#say({
        warning: `other users can't reach the socket: ${closed} is closed to them; choose another place with --socket`,
      });
    return async () => {
      this.#warn(await reloadPolicy(broker, this.file));
      this.#say(
        { event: 'policy', file: this.file },
        `the policy ${this.file} was read anew and is in force`,
      );
    };
  }

  #warn(warnings: readonly Problem[]): void {
    for (const warning of warnings) this.#say({ warning: problemLine(this.file, warning) });
  }

  /** A line on standard error. */
  #say(event: { warning?: string; [key: string]: unknown }, text = event.warning ?? ''): void {
    const { json, err } = this.terminal;
    err.line(json ? jsonText(event) : `${err.style.yellow('sealane:')} ${escapeControls(text)}`);
  }
}

/**
 * The first directory on the way to a path that nobody but its owner may pass. Lists of access rights (ACLs) are not looked at, nor
 * what can't be: a socket that was passed need not lie where this process sees it.
 */
function closedDirectory(path: string): string | undefined {
  let closed: string | undefined;
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    if (isClosed(directory)) closed = directory;
    if (directory === dirname(directory)) return closed;
  }
}

function isClosed(directory: string): boolean {
  try {
    return (lstatSync(directory).mode & OTHERS_SEARCH) === 0;
  } catch {
    return false;
  }
}
