/**
 * Where honest ones and liars meet: a service with a publisher and a subscriber that work, and liars that speak the handshake themselves.
 * Owns the directory, the nodes and all liars; all end with the test.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type FullAction,
  Node,
  type Publisher,
  type PubSubService,
  type ServiceEvent,
  type ServiceOptions,
  type Subscriber,
} from 'sealane';
import { Domain } from 'sealane/internal';
import { holdings } from './kernel.test.helper.js';
import { fillPayload, MIN_PAYLOAD_BYTES, payloadProblem } from './payload.test.helper.js';

export interface StageOptions {
  readonly settings?: ServiceOptions;
  readonly whenFull?: FullAction;
  /** Room in the first segment of the publisher, where its memory grows. */
  readonly initialBytes?: number;
}

/** How often is looked whether something has come true, far above what it takes. */
const MAX_LOOKS = 200_000;
const SEED = 7;

export class Stage {
  readonly domain: Domain;
  /** What happened to the honest publisher's service, and to the subscriber's. */
  readonly publisherEvents: ServiceEvent[] = [];
  readonly subscriberEvents: ServiceEvent[] = [];
  #sent = 0;
  #before = holdings();

  private constructor(
    readonly directory: string,
    readonly publisherNode: Node,
    readonly subscriberNode: Node,
    readonly publisherService: PubSubService,
    readonly subscriberService: PubSubService,
    readonly publisher: Publisher,
    readonly subscriber: Subscriber,
  ) {
    this.domain = Domain.open({ directory });
    void follow(publisherService, this.publisherEvents);
    void follow(subscriberService, this.subscriberEvents);
  }

  static async make(t: TestContext, options: StageOptions = {}): Promise<Stage> {
    const { settings = {}, whenFull = 'wait', initialBytes } = options;
    const directory = mkdtempSync(join(tmpdir(), 'sealane-'));
    const [a, b] = [await Node.create({ name: 'a', directory }), await Node.create({ name: 'b', directory })];
    t.after(() => {
      a.close();
      b.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const complete = { maxBytes: 4_096, bufferSize: 4, maxBorrowed: 2, ...settings };
    const [ours, theirs] = [
      await a.service('stage').publishSubscribe(complete),
      await b.service('stage').publishSubscribe(complete),
    ];
    const [publisher, subscriber] = [
      await ours.publisher({ whenFull, initialBytes }),
      await theirs.subscriber(),
    ];
    await Promise.all([publisher.connected(), subscriber.connected()]);
    const stage = new Stage(directory, a, b, ours, theirs, publisher, subscriber);
    await turn();
    stage.#before = holdings();
    return stage;
  }

  /** The honest pair does its work, so many times: every sample arrives at once, in order, and whole. */
  async work(rounds = 200): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.#send();
      this.#receive();
      if (round % 8 === 0) await turn();
    }
  }

  /** Works until it is so. */
  async workUntil(what: string, so: () => boolean): Promise<void> {
    for (let looks = 0; !so(); looks++) {
      assert.ok(looks < MAX_LOOKS, what);
      await this.work(1);
      await turn();
    }
  }

  /** What honest ones and liars left: only the honest pair, with nothing on the way. */
  async checkWhole(): Promise<void> {
    await this.work();
    const { subscribers, usedSlots } = this.publisher.figures;
    assert.deepEqual(
      subscribers.map(({ node }) => node),
      [this.subscriberNode.id],
    );
    // What came back is looked at when slots run out: closed by the subscriber, all of it comes back.
    assert.ok(usedSlots <= (subscribers[0]?.held ?? 0), `${usedSlots} slots are in use`);
    assert.deepEqual(
      this.subscriber.figures.publishers.map(({ node }) => node),
      [this.publisherNode.id],
    );
    await this.workUntil('all that liars had is given back', () => sameHoldings(holdings(), this.#before));
  }

  /** Events `lost` that say what a peer did that it may not. */
  lies(events: readonly ServiceEvent[]): string[] {
    return events.flatMap((event) => (event.type === 'lost' && event.error ? [event.error.message] : []));
  }

  #send(): void {
    this.#sent += 1;
    const loan = this.publisher.hot.loan(MIN_PAYLOAD_BYTES + (this.#sent % 512));
    fillPayload(loan.bytes, SEED, this.#sent);
    loan.send();
  }

  /** Samples of liars may come too: whatever they are, they are given back. */
  #receive(): void {
    for (;;) {
      const sample = this.subscriber.hot.receive();
      assert.ok(sample !== undefined, `sample ${this.#sent} did not arrive`);
      const { node, sequence } = sample.header;
      const honest = node === this.publisherNode.id;
      if (honest) {
        assert.equal(sequence, this.#sent);
        assert.equal(sample.missed, 0);
        assert.equal(payloadProblem(sample.bytes, sequence), undefined);
      }
      sample.release();
      if (honest) return;
    }
  }
}

/** Looks at each turn of the event loop until it is so. */
export async function untilTrue(what: string, so: () => boolean): Promise<void> {
  for (let looks = 0; !so(); looks++) {
    assert.ok(looks < MAX_LOOKS, what);
    await turn();
  }
}

async function follow(service: PubSubService, into: ServiceEvent[]): Promise<void> {
  for await (const event of service.events()) into.push(event);
}

function sameHoldings(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
