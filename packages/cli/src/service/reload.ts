/** What is read anew when SIGHUP comes. Owns the list of parts; what each of them reads is its own matter. */

export class Reload {
  readonly #parts: (() => void | Promise<void>)[] = [];
  readonly #report: (error: unknown) => void;

  /** `report` hears the errors. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Adds a part: it reads its file anew, and keeps what it had when it throws or rejects. */
  add(part: () => void | Promise<void>): void {
    this.#parts.push(part);
  }

  /** Has every part read anew, one after the other. A part that fails is reported and keeps no other from its turn. Never rejects. */
  async run(): Promise<void> {
    for (const part of this.#parts) {
      try {
        await part();
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
