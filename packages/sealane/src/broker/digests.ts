/**
 * Computes digests off the event loop, in steps, fairly: users take turns, then a user's connections, then the contents that
 * a connection waits for. One client's giant can't delay another's small object by more than a few steps.
 * Owns the hash states; holds a reference to each content while it is being read. Reads by read(2), never maps: reading a sparse
 * memfd through a mapping would allocate its pages.
 */
import { SealaneError } from '../base/errors.js';
import { Sha256 } from '../os/sha256.js';
import type { Content } from './content.js';
import { Rotation } from './rotation.js';

/** Bytes of one step, some 5 to 20 ms: how long the others wait for their turn. */
const STEP_BYTES = 8 * 1_048_576;

/** Steps at once. The thread pool has four threads; two stay free for closes and for the program that embeds the broker. */
const STEPS_AT_ONCE = 2;

/** Tells the one who waits: undefined when `content.digest` is there. */
type Done = (error: SealaneError | undefined) => void;

/** One who waits for a digest. */
export interface DigestWait {
  /** Stops waiting: `done` is not called any more. The computation ends when nobody waits for it. */
  cancel(): void;
}

/** The contents that one connection waits for; they take turns. */
export class DigestLane {
  readonly jobs = new Rotation<Job>();

  constructor(readonly uid: number) {}
}

interface Job {
  readonly content: Content;
  readonly hash: Sha256;
  /** Bytes that are hashed. */
  position: number;
  running: boolean;
  /** Who waits, in which lane. */
  readonly waits: Map<Done, DigestLane>;
}

export class DigestScheduler {
  readonly #users = new Map<number, Rotation<DigestLane>>();
  /** The uids, taking turns. */
  readonly #turns = new Rotation<number>();
  readonly #jobs = new Map<Content, Job>();
  #running = 0;
  #whenIdle: (() => void)[] = [];

  /** `onDigest` notes the digest of a content; it is called before those who wait are told. */
  constructor(private readonly onDigest: (content: Content, digest: string) => void) {}

  /**
   * Computes the digest of `content`, which the caller keeps alive until `done` or cancel. One computation serves all who ask.
   * Throws ERR_SEALANE_EXHAUSTED or ERR_SEALANE_UNSUPPORTED_PLATFORM when there is no hash to be had.
   */
  request(content: Content, lane: DigestLane, done: Done): DigestWait {
    let job = this.#jobs.get(content);
    if (job === undefined) {
      job = { content, hash: Sha256.create(), position: 0, running: false, waits: new Map() };
      this.#jobs.set(content, job);
    }
    job.waits.set(done, lane);
    this.#enter(lane, job);
    this.#run();
    return { cancel: () => this.#cancel(content, done) };
  }

  /** Resolves when no step is under way: only then may the contents be closed. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
  }

  #enter(lane: DigestLane, job: Job): void {
    lane.jobs.add(job);
    const lanes = this.#users.get(lane.uid) ?? new Rotation<DigestLane>();
    lanes.add(lane);
    this.#users.set(lane.uid, lanes);
    this.#turns.add(lane.uid);
  }

  #leave(lane: DigestLane, job: Job): void {
    for (const other of job.waits.values()) if (other === lane) return;
    lane.jobs.delete(job);
    if (lane.jobs.size > 0) return;
    const lanes = this.#users.get(lane.uid);
    lanes?.delete(lane);
    if (lanes?.size !== 0) return;
    this.#users.delete(lane.uid);
    this.#turns.delete(lane.uid);
  }

  #cancel(content: Content, done: Done): void {
    const job = this.#jobs.get(content);
    const lane = job?.waits.get(done);
    if (job === undefined || lane === undefined) return;
    job.waits.delete(done);
    this.#leave(lane, job);
    if (job.waits.size === 0 && !job.running) this.#dispose(job);
  }

  #dispose(job: Job): void {
    this.#jobs.delete(job.content);
    job.hash[Symbol.dispose]();
  }

  #run(): void {
    while (this.#running < STEPS_AT_ONCE) {
      const job = this.#next();
      if (job === undefined) break;
      this.#running++;
      job.running = true;
      job.content.retain();
      void this.#step(job);
    }
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** The job whose turn it is; a job that is running already is passed over. */
  #next(): Job | undefined {
    for (const uid of this.#turns) {
      const lanes = this.#users.get(uid);
      for (const lane of lanes ?? []) {
        for (const job of lane.jobs) {
          if (job.running) continue;
          this.#turns.rotate(uid);
          lanes?.rotate(lane);
          lane.jobs.rotate(job);
          return job;
        }
      }
    }
    return undefined;
  }

  async #step(job: Job): Promise<void> {
    let error: SealaneError | undefined;
    try {
      await this.#readStep(job);
    } catch (cause) {
      error = asError(cause);
    }
    this.#running--;
    job.running = false;
    if (job.waits.size === 0) this.#dispose(job);
    else if (error !== undefined || job.content.digest !== undefined) this.#finish(job, error);
    job.content.release();
    this.#run();
  }

  async #readStep(job: Job): Promise<void> {
    const { content, hash } = job;
    const length = Math.min(STEP_BYTES, content.size - job.position);
    const count = length === 0 ? 0 : await hash.update(content.fd, job.position, length);
    if (count !== length) {
      throw new SealaneError(
        'ERR_SEALANE_INTERNAL',
        `a sealed memfd of ${content.size} bytes ended at ${job.position + count}`,
      );
    }
    job.position += count;
    if (job.position === content.size) this.onDigest(content, hash.finish());
  }

  #finish(job: Job, error: SealaneError | undefined): void {
    const waits = [...job.waits];
    job.waits.clear();
    for (const [, lane] of waits) this.#leave(lane, job);
    this.#dispose(job);
    for (const [done] of waits) done(error);
  }
}

function asError(cause: unknown): SealaneError {
  if (cause instanceof SealaneError) return cause;
  return new SealaneError('ERR_SEALANE_INTERNAL', `hashing failed: ${String(cause)}`, { cause });
}
