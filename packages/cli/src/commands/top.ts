/** `sealane top`: what all nodes and services of a domain do, look after look, as long as it is wanted. */
import { type ObservedDomain, observe } from 'sealane';
import { findInterruption } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { SORTS, type Sort, select, sortServices, toLine, toScreen } from '../messaging/overview.js';
import { type DomainOptions, explained, placeOf } from '../messaging/participate.js';
import { toJson } from '../messaging/visible.js';
import { field } from '../terminal/escape.js';
import { Keys } from '../terminal/keys.js';
import { LiveLines } from '../terminal/live.js';
import type { Terminal } from '../terminal/terminal.js';

export interface TopOptions extends DomainOptions {
  count?: number;
  /** Milliseconds. */
  interval?: number;
  sort?: Sort;
}

const DEFAULT_INTERVAL_MS = 1_000;

/** A table in place on a terminal, a line for each service elsewhere, one JSON object for each look when asked. */
export async function runTop(
  pattern: string | undefined,
  options: TopOptions,
  terminal: Terminal,
): Promise<void> {
  await explained(options, async () => {
    using interrupt = new Interrupt();
    const quit = new AbortController();
    const view = new View(terminal, options.sort ?? 'rate', pattern);
    using _keys = view.interactive ? new Keys((key) => onKey(key, view, quit)) : undefined;
    const signal = AbortSignal.any([interrupt.signal, quit.signal]);
    try {
      await follow(pattern, options, signal, view);
    } catch (error) {
      if (!quit.signal.aborted || findInterruption(error) !== undefined) throw error;
    }
  });
}

function onKey(key: string, view: View, quit: AbortController): void {
  if (key === 'q') quit.abort();
  else if (key === 's') view.sortByNext();
}

async function follow(
  pattern: string | undefined,
  options: TopOptions,
  signal: AbortSignal,
  view: View,
): Promise<void> {
  const intervalMs = options.interval ?? DEFAULT_INTERVAL_MS;
  let left = options.count ?? Number.POSITIVE_INFINITY;
  for await (const domain of observe({ ...placeOf(options), intervalMs, signal })) {
    view.show(select(domain, pattern));
    left -= 1;
    if (left <= 0) return;
  }
}

/** Shows one look after another. */
class View {
  /** Whether it is drawn in place. */
  readonly interactive: boolean;
  readonly #terminal: Terminal;
  readonly #lines: LiveLines | undefined;
  #sort: Sort;
  readonly #pattern: string | undefined;
  readonly #noted = new Set<string>();
  #last: ObservedDomain | undefined;

  constructor(terminal: Terminal, sort: Sort, pattern: string | undefined) {
    this.#pattern = pattern;
    this.#terminal = terminal;
    this.#sort = sort;
    this.interactive = !terminal.json && terminal.out.terminal;
    this.#lines = this.interactive ? new LiveLines(terminal.out) : undefined;
  }

  show(domain: ObservedDomain): void {
    this.#last = domain;
    const { json, out } = this.#terminal;
    const services = sortServices(domain.services, this.#sort);
    if (json) this.#terminal.writeJson(toJson({ ...domain, services }));
    else if (this.#lines === undefined) this.#showLines({ ...domain, services });
    else this.#lines.draw(toScreen(domain, this.#sort, out.rows, out.layout));
  }

  #showLines({ nodes, services }: ObservedDomain): void {
    for (const service of services) this.#terminal.out.line(toLine(service));
    if (services.length === 0) this.#note(nothing(this.#pattern));
    for (const { id, problem } of nodes)
      if (problem !== undefined) this.#note(`node ${id} tells no figures: ${field(problem)}`);
  }

  /** Each once: a pipe shall not fill with what does not change. */
  #note(text: string): void {
    if (this.#noted.has(text)) return;
    this.#noted.add(text);
    this.#terminal.err.line(`sealane: ${text}`);
  }

  /** At once, with the figures that are there. */
  sortByNext(): void {
    this.#sort = SORTS[(SORTS.indexOf(this.#sort) + 1) % SORTS.length] as Sort;
    if (this.#last !== undefined) this.show(this.#last);
  }
}

function nothing(pattern: string | undefined): string {
  return pattern === undefined ? 'there are no services yet' : `no service matches ${field(pattern)} yet`;
}
