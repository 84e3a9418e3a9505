// Looks at pictures of another process's camera, as they come over the bus.
import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import {
  type BufferFrame,
  DmaBuf,
  type FrameMetadata,
  frameMetadata,
  type Mapping,
  requireFrameFits,
  type ServiceOptions,
} from 'sealane';
import { duplicate } from 'sealane/internal';
import { openDescriptors } from './devices.test.helper.js';
import { cast } from './orders.test.helper.js';

export type Picture = BufferFrame<FrameMetadata>;

/** Which object of the kernel a descriptor is: the same in all processes. */
export function inodeOf(fd: number): number {
  return fstatSync(fd).ino;
}

/** The buffer that a picture is in; closed by the caller, and not with the picture. */
export function bufferOf(picture: Picture): DmaBuf {
  const [fd = -1] = picture.descriptors;
  return DmaBuf.take(duplicate(fd));
}

/** Buffers of pictures, each mapped once. */
export class Screen implements Disposable {
  readonly #buffers = new Map<number, { readonly buffer: DmaBuf; readonly mapping: Mapping }>();

  /** Looks at a picture, while no device writes into it. */
  look<Result>(picture: Picture, work: (memory: Uint8Array, said: FrameMetadata) => Result): Result {
    const { buffer, mapping } = this.#of(picture);
    requireFrameFits(picture.meta, [buffer.size]);
    using _access = buffer.cpuAccess('read');
    return work(mapping.bytes, picture.meta);
  }

  /** A copy of all that is in its buffer now. */
  copy(picture: Picture): Uint8Array {
    return this.look(picture, (memory) => memory.slice());
  }

  [Symbol.dispose](): void {
    for (const { buffer, mapping } of this.#buffers.values()) {
      mapping.close();
      buffer.close();
    }
  }

  #of(picture: Picture) {
    const inode = inodeOf(picture.descriptors[0] ?? -1);
    const known = this.#buffers.get(inode);
    if (known !== undefined) return known;
    const buffer = bufferOf(picture);
    const made = { buffer, mapping: buffer.map('read') };
    this.#buffers.set(inode, made);
    return made;
  }
}

/** How often it is looked for descriptors that another thread closes: long enough, and a test that failed is told of. */
const MAX_LOOKS = 1_000;

/** Fails unless this process has so many descriptors, soon. */
export async function requireOpen(count: number): Promise<void> {
  for (let looks = 0; looks < MAX_LOOKS && openDescriptors() !== count; looks++) await passed(10);
  assert.equal(openDescriptors(), count);
}

/** What the camera is to do. */
export interface Show {
  readonly service: string;
  readonly settings?: ServiceOptions;
  readonly buffers?: number;
  readonly width?: number;
  readonly height?: number;
  readonly perSecond?: number;
  readonly access?: 'read' | 'read-write';
}

/** A camera of another process that streams, and who receives its pictures here. Afterwards nothing of it is left. */
export async function watch(t: TestContext, show: Show) {
  const {
    service,
    settings = {},
    buffers = 4,
    width = 320,
    height = 180,
    perSecond = 25,
    access = 'read',
  } = show;
  const { stage, sender } = cast();
  const receiving = await stage.service(settings, service);
  const before = openDescriptors();
  const camera = await sender.camera({ service, settings, buffers, width, height, perSecond, access });
  const subscriber = await receiving.bufferSubscriber({
    metadata: frameMetadata,
    allow: 'dma-buf',
  });
  const screen = new Screen();
  t.after(async () => {
    if (sender.isAlive) await sender.close();
    subscriber.close();
    screen[Symbol.dispose]();
    await requireOpen(before);
  });
  return { stage, sender, camera, subscriber, screen };
}
