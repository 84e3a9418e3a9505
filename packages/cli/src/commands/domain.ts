/** `sealane domain create`: what an administrator does once, so that nodes of several users find each other. */
import { createSharedDomain, isSealaneError } from 'sealane';
import { exitCodeOf } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import { toAccount } from '../messaging/account.js';
import type { Terminal } from '../terminal/terminal.js';

export interface DomainCreateOptions {
  group?: string;
}

/** Prints nothing: the directory is there when it succeeds. */
export async function runDomainCreate(
  directory: string,
  { group }: DomainCreateOptions,
  terminal: Terminal,
): Promise<void> {
  try {
    await createSharedDomain(directory, { group: group === undefined ? undefined : toAccount(group) });
  } catch (error) {
    // What the library says to do is to be done here as well.
    throw isSealaneError(error)
      ? new CommandError(error.code, exitCodeOf(error.code), error.message, undefined)
      : error;
  }
  if (terminal.json) terminal.writeJson({ directory, group });
}
