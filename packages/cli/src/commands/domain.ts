/** `sealane domain create`: what an administrator does once, so that nodes of several users find each other. */
import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSharedDomain, isSealaneError } from 'sealane';
import { exitCodeOf } from '../exit-codes.js';
import { CommandError } from '../failure.js';
import { toAccount } from '../messaging/account.js';
import { commandWords } from '../messaging/participate.js';
import { escapeText, shellWord } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';

export interface DomainCreateOptions {
  group?: string;
}

/** Says how the domain is used, and on standard error when others can not use it. */
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
      ? new CommandError(error.code, exitCodeOf(error.code), commandWords(error.message), undefined)
      : error;
  }
  const path = resolve(directory);
  if (terminal.json) terminal.writeJson({ directory, group });
  else terminal.out.line(madeText(path, group));
  const { uid } = lstatSync(path);
  if (uid !== 0 && !terminal.json) terminal.err.line(`sealane: ${ownerText(path, uid)}`);
}

function madeText(path: string, group: string | undefined): string {
  const whose = group === undefined ? 'everybody on this machine' : `members of group ${escapeText(group)}`;
  return `${escapeText(path)} is a shared domain for ${whose}: use it with SEALANE_SHARED_DIR=${shellWord(path)}, or with --shared`;
}

/** Nodes trust only root and their own user with the directory. */
function ownerText(path: string, uid: number): string {
  return `${escapeText(path)} belongs to user ${uid}, and only nodes of this user use it; for several users, root makes it`;
}
