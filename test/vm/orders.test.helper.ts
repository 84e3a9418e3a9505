// What tests with real buffers order of peer.test.helper.ts, and what that answers. Starts peers ahead: that takes seconds in emulation.
import { after } from 'node:test';
import type { ServiceOptions } from 'sealane';
import { type Peer, Stage } from '../services/nodes.test.helper.js';
import { inMachine } from './graphics.test.helper.js';

/** Where the memory of a plane comes from. */
export type Plane = 'heap' | 'udmabuf' | 'memfd';

interface OfService {
  readonly service: string;
  readonly settings?: ServiceOptions;
}

/** Streams the camera into a pool until `close`. */
export interface CameraOrder extends OfService {
  readonly do: 'camera';
  readonly width: number;
  readonly height: number;
  readonly buffers: number;
  /** Pictures: a divisor of the kernel's 250 ticks a second. Else vivid may give two of them one number. */
  readonly perSecond: number;
  /** What its buffers may be mapped for. */
  readonly access: 'read' | 'read-write';
}

/** What the camera set, and the inodes of its buffers by their index. */
export interface CameraAnswer {
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly inodes: readonly number[];
}

/** What the camera said of a picture. */
export interface Told {
  readonly index: number;
  readonly sequence: number;
  /** Its timestamp, in nanoseconds. */
  readonly ns: string;
}

/** Sends one frame, a page in each plane, once there are so many subscribers. */
export interface SendOrder extends OfService {
  readonly do: 'send';
  readonly planes: readonly Plane[];
  readonly subscribers: number;
}

/** What a frame says of itself: each plane is full of its value. */
export interface Said {
  readonly values: readonly number[];
  readonly inodes: readonly number[];
}

/** Sends one picture, whose rows are full of their numbers. Answers its inode. */
export interface PictureOrder extends OfService {
  readonly do: 'picture';
  readonly from: Plane;
  readonly width: number;
  readonly height: number;
  readonly sequence: number;
}

/** Receives so many frames and keeps them. */
export interface HoldOrder extends OfService {
  readonly do: 'hold';
  readonly count: number;
}

/** A frame that a process keeps. */
export interface Held {
  readonly token: number;
  readonly buffer: number;
}

export type Order = CameraOrder | SendOrder | PictureOrder | HoldOrder | { readonly do: 'close' };

/** A process that takes orders. */
export class Actor {
  readonly peer: Peer;

  constructor(stage: Stage, role: string) {
    this.peer = stage.peer(role, { script: '../vm/peer.test.helper.js' });
  }

  async camera(order: Omit<CameraOrder, 'do'>): Promise<CameraAnswer> {
    return (await this.#obey({ do: 'camera', ...order })) as CameraAnswer;
  }

  /** Ends what it streams: device, pool and all. What was told of each picture. */
  async close(): Promise<readonly Told[]> {
    return (await this.#obey({ do: 'close' })) as readonly Told[];
  }

  /** How many received it. */
  async send(order: Omit<SendOrder, 'do'>): Promise<number> {
    return (await this.#obey({ do: 'send', ...order })) as number;
  }

  async picture(order: Omit<PictureOrder, 'do'>): Promise<number> {
    return (await this.#obey({ do: 'picture', ...order })) as number;
  }

  async hold(order: Omit<HoldOrder, 'do'>): Promise<readonly Held[]> {
    return (await this.#obey({ do: 'hold', ...order })) as readonly Held[];
  }

  /** As kill -9. What it streams ends with it. */
  async kill(): Promise<void> {
    await this.peer.kill();
    await this.peer.ended();
  }

  get isAlive(): boolean {
    return this.peer.child.exitCode === null && this.peer.child.signalCode === null;
  }

  async #obey(order: Order): Promise<unknown> {
    this.peer.tell(JSON.stringify(order));
    return JSON.parse(await this.peer.line());
  }
}

/** Who takes part: in the machine, all are started when this file is loaded. */
class Cast {
  readonly stage = new Stage({ after });
  readonly #actors = new Map<string, Actor>();

  constructor() {
    for (const role of ['sender', 'holder']) this.#actor(role);
  }

  /** Has the camera, and makes buffers. */
  get sender(): Actor {
    return this.#actor('sender');
  }

  /** Receives, and keeps what it has received. */
  get holder(): Actor {
    return this.#actor('holder');
  }

  /** Another one where it was killed. */
  #actor(role: string): Actor {
    const known = this.#actors.get(role);
    if (known?.isAlive === true) return known;
    const actor = new Actor(this.stage, role);
    this.#actors.set(role, actor);
    return actor;
  }
}

const started = inMachine.skip === false ? new Cast() : undefined;

/** All of them. */
export function cast(): Cast {
  if (started === undefined) throw new Error('there is nobody outside of the virtual machine');
  return started;
}
