/** Users and groups as people name them: a number is an id. And whom a command lets in, or means, in a domain of several users. */
import type { AccessOptions } from 'sealane';

/** Options of every command that opens a service. */
export interface AllowOptions {
  allowUser?: string[];
  allowGroup?: string[];
}

/** As the library takes it. */
export function toAccount(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** What the options say of access; nothing where they say nothing. */
export function accessOf({ allowUser = [], allowGroup = [] }: AllowOptions): { access?: AccessOptions } {
  if (allowUser.length === 0 && allowGroup.length === 0) return {};
  return { access: { users: allowUser.map(toAccount), groups: allowGroup.map(toAccount) } };
}
