/** What the processes of the example agree on: the service, and how its frames are shaped, which the service's attributes say. */
import type { Attributes, Node, Sample } from 'sealane';

/** The service that carries the frames. */
export const SERVICE = 'video/frames';
/** Red, green, blue, opacity: a byte each. */
export const PIXEL_BYTES = 4;

/** The shape of all frames of a service. */
export interface Shape {
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly rate: number;
}

/** Bytes of one frame. */
export function frameBytes({ width, height }: Shape): number {
  return width * height * PIXEL_BYTES;
}

/** The shape as attributes of the service. */
export function toAttributes({ width, height, rate }: Shape): Attributes {
  return { format: 'rgba', width: String(width), height: String(height), rate: String(rate) };
}

/** The shape that a service states. Throws when it carries something else. */
export function toShape({ format, width, height, rate }: Attributes): Shape {
  const shape = { width: Number(width), height: Number(height), rate: Number(rate) };
  if (format === 'rgba' && shape.width > 0 && shape.height > 0 && shape.rate > 0) return shape;
  throw new Error(`the service ${SERVICE} carries ${format ?? 'something'} and no rgba frames`);
}

/** What a process tells of its work, twice a second, as a line of JSON. */
export interface Report {
  readonly role: string;
  /** Frames since the last report. */
  readonly frames: number;
  /** Frames that did not arrive since the last report. */
  readonly missed: number;
  readonly seconds: number;
  /** Mean and longest time from sending a frame to receiving it, in microseconds. */
  readonly meanUs?: number | undefined;
  readonly maxUs?: number | undefined;
  readonly note?: string | undefined;
}

/** Withdraws the node when the process is asked to end. One that is killed instead is cleaned up after by the others. */
export function closeOnSignal(node: Node): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      node.close();
      process.exit();
    });
}

/** How often a process reports, in milliseconds. */
const REPORT_MS = 500;

/** Counts the frames of one process and reports them while it lives. */
export class Reporter {
  readonly #role: string;
  #frames = 0;
  #missed = 0;
  #totalUs = 0;
  #maxUs = 0;
  #fromMs = performance.now();
  /** Shown beside the figures. */
  note: string | undefined;

  constructor(role: string) {
    this.#role = role;
    setInterval(() => this.#report(), REPORT_MS).unref();
  }

  /** One more frame was sent. */
  sent(): void {
    this.#frames += 1;
  }

  /** One more frame was received. */
  received({ missed, header }: Sample): void {
    this.#frames += 1;
    this.#missed += missed;
    const us = Number(process.hrtime.bigint() - header.timestampNs) / 1_000;
    this.#totalUs += us;
    this.#maxUs = Math.max(this.#maxUs, us);
  }

  #report(): void {
    const nowMs = performance.now();
    const latency = this.#totalUs > 0 ? { meanUs: this.#totalUs / this.#frames, maxUs: this.#maxUs } : {};
    const report: Report = {
      ...{
        role: this.#role,
        frames: this.#frames,
        missed: this.#missed,
        seconds: (nowMs - this.#fromMs) / 1_000,
      },
      ...latency,
      note: this.note,
    };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    this.#frames = this.#missed = this.#totalUs = this.#maxUs = 0;
    this.#fromMs = nowMs;
  }
}
