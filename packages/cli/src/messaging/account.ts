/** Users and groups as people name them: a number is an id. */

/** As the library takes it. */
export function toAccount(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}
