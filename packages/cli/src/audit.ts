/**
 * The audit of `sealane broker`: from its options to a sink. Owns the file, and the listener for SIGHUP that has it opened anew after
 * it was renamed.
 */
import { AuditFile, type AuditOptions, type AuditOverflow } from 'sealane';
import { describeFailure, reportFailure, usageError } from './failure.js';
import { escapeControls, jsonText } from './terminal/escape.js';
import type { Terminal } from './terminal/terminal.js';

/** The value of --audit for standard output. */
const STANDARD_OUTPUT = '-';
const STANDARD_OUTPUT_FD = 1;

export interface AuditCommandOptions {
  audit?: string;
  auditWhenFull?: AuditOverflow;
}

/** Whether standard output belongs to the audit: nothing else may be written there. */
export function takesStandardOutput({ audit }: AuditCommandOptions): boolean {
  return audit === STANDARD_OUTPUT;
}

export class CommandAudit implements AsyncDisposable {
  readonly #onHangup = () => void this.reopen();

  private constructor(
    private readonly file: AuditFile,
    private readonly whenFull: AuditOverflow | undefined,
    private readonly terminal: Terminal,
  ) {
    process.on('SIGHUP', this.#onHangup);
  }

  /** Undefined where no audit is wanted. Throws as AuditFile.open. */
  static async open(
    { audit, auditWhenFull }: AuditCommandOptions,
    terminal: Terminal,
  ): Promise<CommandAudit | undefined> {
    if (audit === undefined && auditWhenFull !== undefined)
      throw usageError('--audit-when-full was given without an audit', 'say where it goes with --audit FILE');
    if (audit === undefined) return undefined;
    const file = await AuditFile.open(audit === STANDARD_OUTPUT ? STANDARD_OUTPUT_FD : audit);
    return new CommandAudit(file, auditWhenFull, terminal);
  }

  /** For the broker. */
  get options(): AuditOptions {
    return {
      sink: this.file,
      whenFull: this.whenFull,
      onTrouble: (message) => warn(message, this.terminal),
    };
  }

  /** Opens the file anew; one that can't be opened is reported, and the old one stays in use. Never rejects. */
  async reopen(): Promise<void> {
    try {
      await this.file.reopen();
    } catch (error) {
      const { hint, ...failure } = describeFailure(error);
      const stays = 'the audit goes on in the file that was open';
      reportFailure(this.terminal, { ...failure, hint: hint === undefined ? stays : `${stays}; ${hint}` });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('SIGHUP', this.#onHangup);
    await this.file.close();
  }
}

function warn(message: string, { json, err }: Terminal): void {
  err.line(json ? jsonText({ warning: message }) : `${err.style.red('sealane:')} ${escapeControls(message)}`);
}
