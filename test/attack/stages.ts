// The stages of a run: attacks that want the same broker share one. Owns them.
import type { Attack, ChosenOptions, Users } from './attack.js';
import type { Places } from './places.js';
import { Stage } from './stage.js';

export class Stages implements AsyncDisposable {
  readonly #open = new Map<string, Promise<Stage>>();

  constructor(
    private readonly users: Users,
    private readonly places: Places,
  ) {}

  /** A stage with the broker that the attack is made on; it stays this object's. */
  stageFor({ broker, victimJob }: Attack): Promise<Stage> {
    const options = broker?.(this.users) ?? this.#usual();
    const key = JSON.stringify([options, victimJob]);
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const stage = Stage.open(this.users, this.places, options, victimJob);
    this.#open.set(key, stage);
    return stage;
  }

  /** Ends all. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stage of this.#open.values())
      await stage.then(
        (open) => open[Symbol.asyncDispose](),
        () => undefined,
      );
    this.#open.clear();
  }

  #usual(): ChosenOptions {
    const { own, admitted } = this.users;
    return { users: own === admitted ? [] : [admitted], helloTimeoutMs: 1_000 };
  }
}
