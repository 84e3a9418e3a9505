/** The audit of `sealane broker`: from its options to a sink. Owns the file. */
import { AuditFile, type AuditOptions, type AuditOverflow } from 'sealane';
import { CommandError, describeFailure, usageError } from './failure.js';

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
  private constructor(
    private readonly file: AuditFile,
    /** For the broker. */
    readonly options: AuditOptions,
  ) {}

  /** Undefined where no audit is wanted. `say` hears what an operator must know. Throws as AuditFile.open. */
  static async open(
    { audit, auditWhenFull: whenFull }: AuditCommandOptions,
    say: (message: string) => void,
  ): Promise<CommandAudit | undefined> {
    if (audit === undefined && whenFull !== undefined)
      throw usageError('--audit-when-full was given without an audit', 'say where it goes with --audit FILE');
    if (audit === undefined) return undefined;
    const file = await AuditFile.open(audit === STANDARD_OUTPUT ? STANDARD_OUTPUT_FD : audit);
    return new CommandAudit(file, { sink: file, whenFull, onTrouble: say });
  }

  /** Opens the file anew, after it was renamed. Rejects when that can't be done; the old one stays in use then. */
  async reopen(): Promise<void> {
    try {
      await this.file.reopen();
    } catch (error) {
      const { code, message, hint, exitCode } = describeFailure(error);
      const stays = 'the audit goes on in the file that was open';
      throw new CommandError(code, exitCode, message, hint === undefined ? stays : `${stays}; ${hint}`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.file.close();
  }
}
