/** The policy of `sealane broker`: read when it starts, and anew when it is asked to. Owns nothing but the name of the file. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Broker, PolicyOptions } from 'sealane';
import { escapeControls, jsonText } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';
import { readPolicy, reloadPolicy } from './load.js';
import { type Problem, problemLine } from './problems.js';

/** Search permission of a directory for the group or for all. */
const OTHERS_SEARCH = 0o011;

/** Write permission for the group or for all: who connects to a socket needs it. */
const OTHERS_WRITE = 0o022;

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
    if ((this.options.admit ?? []).length > 0) this.#warnOfObstacle(broker.socket);
    return async () => {
      this.#warn(await reloadPolicy(broker, this.file));
      this.#say(
        { event: 'policy', file: this.file },
        `the policy ${this.file} was read anew and is in force`,
      );
    };
  }

  #warnOfObstacle(socket: string): void {
    const obstacle = obstacleBefore(socket);
    if (obstacle === undefined) return;
    const next =
      obstacle === socket
        ? 'let them write to it (SocketMode=0666 in a unit)'
        : 'choose another place with --socket, in a directory of mode 0755';
    this.#say({ warning: `other users can't reach the socket: ${obstacle} is closed to them; ${next}` });
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
 * What keeps other users from a socket: its own mode, or that of a directory above it. Lists of access rights (ACLs) are not looked at,
 * nor what can't be: a socket that was passed need not lie where this process sees it.
 */
function obstacleBefore(path: string): string | undefined {
  if (!permits(path, OTHERS_WRITE)) return path;
  let closed: string | undefined;
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    if (!permits(directory, OTHERS_SEARCH)) closed = directory;
    if (directory === dirname(directory)) return closed;
  }
}

/** Whether one of the permissions is given. What can't be seen keeps nobody off. */
function permits(path: string, permissions: number): boolean {
  try {
    return (statSync(path).mode & permissions) !== 0;
  } catch {
    return true;
  }
}
