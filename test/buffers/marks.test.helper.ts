/** For the tests of buffers: descriptors that tell which frame and plane they belong to, and what a process has of them. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, readSync } from 'node:fs';
import type { BufferFrame, BufferPublisher, BufferSubscriber } from 'sealane';
import { Memfd } from 'sealane/internal';

/** What the frames of the tests say of themselves. */
export interface Mark {
  /** Who sent it. */
  readonly sender: number;
  readonly frame: number;
  readonly planes: number;
}

const PLANE_BYTES = 12;

/** Sealed memory that says what it is. */
export function plane(sender: number, frame: number, index: number): Memfd {
  const words = Uint32Array.of(sender, frame, index);
  return Memfd.sealed('sealane-mark', new Uint8Array(words.buffer));
}

/** What a descriptor says it is. */
export function planeIn(fd: number): number[] {
  const bytes = new Uint8Array(PLANE_BYTES);
  assert.equal(readSync(fd, bytes, 0, PLANE_BYTES, 0), PLANE_BYTES);
  return [...new Uint32Array(bytes.buffer)];
}

/** Sends a frame whose planes say that they are its; they are closed here. Returns how many got it. */
export function sendMarked(publisher: BufferPublisher<Mark>, mark: Mark): number {
  const memfds = Array.from({ length: mark.planes }, (_, index) => plane(mark.sender, mark.frame, index));
  try {
    return publisher.send(
      mark,
      memfds.map(({ fd }) => fd),
    );
  } finally {
    for (const memfd of memfds) memfd.close();
  }
}

/** Fails unless the frame came with exactly its own descriptors. */
export function checkMarked({ meta, descriptors }: BufferFrame<Mark>): void {
  const expected = Array.from({ length: meta.planes }, (_, index) => [meta.sender, meta.frame, index]);
  assert.deepEqual(descriptors.map(planeIn), expected);
}

/** All frames that are there, checked and released: their tokens, and those that were lost before. */
export function drain(subscriber: BufferSubscriber<Mark>): { received: number[]; lost: number[] } {
  const [received, lost]: [number[], number[]] = [[], []];
  for (;;) {
    using frame = subscriber.receive();
    if (frame === undefined) return { received, lost };
    checkMarked(frame);
    received.push(frame.token);
    for (let token = frame.lost?.first ?? 1; token <= (frame.lost?.last ?? 0); token++) lost.push(token);
  }
}

/** How many descriptors of marks this process has. */
export function marksOpen(): number {
  return readdirSync('/proc/self/fd').filter((fd) => target(fd).startsWith('/memfd:sealane-mark')).length;
}

function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** How many descriptors this process has. */
export function descriptorsOpen(): number {
  return readdirSync('/proc/self/fd').length;
}
