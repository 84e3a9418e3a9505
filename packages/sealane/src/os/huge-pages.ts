/** The kernel's setting of transparent huge pages for shared memory. Owns nothing. */
import { readFileSync } from 'node:fs';

const SETTING = '/sys/kernel/mm/transparent_hugepage/shmem_enabled';

/** Settings under which no advice brings a huge page. */
const REFUSING: readonly (string | undefined)[] = [undefined, 'never', 'deny'];

/** The setting: never, deny, advise, within_size, always or force. Undefined: the kernel, or a sandbox, does not say. */
export function sharedHugePages(): string | undefined {
  let text: string;
  try {
    text = readFileSync(SETTING, 'latin1');
  } catch {
    return undefined;
  }
  // All choices are listed, the chosen one in brackets.
  return text.match(/\[(.+?)\]/)?.[1];
}

/** Whether shared memory that asks for huge pages may get them, under the setting as it is now or as it is given. */
export function mayHaveHugePages(setting = sharedHugePages()): boolean {
  return !REFUSING.includes(setting);
}
