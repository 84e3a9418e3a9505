// The sides of one measurement that are there, by name; ends them together.

export class Started<Side extends AsyncDisposable> implements AsyncDisposable {
  readonly #sides = new Map<string, Side>();

  /** Takes ownership. */
  add(name: string, side: Side): void {
    this.#sides.set(name, side);
  }

  get sides(): ReadonlyMap<string, Side> {
    return this.#sides;
  }

  /** All of them are ended even when one fails to; the first failure is thrown. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.#sides.values()].map((side) => side[Symbol.asyncDispose]());
    await Promise.allSettled(ends);
    await Promise.all(ends);
  }
}
