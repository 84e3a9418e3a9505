/**
 * What the commands of nodes and services share: taking part in a domain for as long as a command runs, waiting, and saying what to do
 * about what the library refuses.
 */
import { setImmediate } from 'node:timers/promises';
import { isSealaneError, Node, type NodeOptions } from 'sealane';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { CommandError, findInterruption } from '../failure.js';
import { Interrupt } from '../interrupt.js';
import { shellWord } from '../terminal/escape.js';

/** Options of every command that looks at a domain. */
export interface DomainOptions {
  domain?: string;
  directory?: string;
  /** A shared domain. */
  shared?: string;
}

/** Where the library looks. */
export function placeOf({
  domain,
  directory,
  shared,
}: DomainOptions): Pick<NodeOptions, 'domain' | 'directory' | 'sharedDirectory'> {
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(directory === undefined ? {} : { directory }),
    ...(shared === undefined ? {} : { sharedDirectory: shared }),
  };
}

/** Whether the domain is one of several users, by the rule of the library. */
export function isShared({ domain, directory, shared }: DomainOptions): boolean {
  if (shared !== undefined) return true;
  return domain === undefined && directory === undefined && Boolean(process.env.SEALANE_SHARED_DIR);
}

/** The options of a domain once more, for a command that a person may paste. */
export function domainWords({ domain, directory, shared }: DomainOptions): string {
  const words = [
    ...(domain === undefined ? [] : ['--domain', shellWord(domain)]),
    ...(directory === undefined ? [] : ['--directory', shellWord(directory)]),
    ...(shared === undefined ? [] : ['--shared', shellWord(shared)]),
  ];
  return words.map((word) => ` ${word}`).join('');
}

/**
 * Runs `work` with a node, which is closed on every path. SIGINT and SIGTERM abort `interrupt.signal`. `name` is what others see of it.
 */
export async function withNode<T>(
  name: string,
  options: DomainOptions,
  work: (node: Node, interrupt: Interrupt) => Promise<T>,
): Promise<T> {
  return await explained(options, async () => {
    using interrupt = new Interrupt();
    await using node = await Node.create({ name, ...placeOf(options) });
    return await work(node, interrupt);
  });
}

/** Runs `work`; what the library refuses gets the next step that fits services, not objects. */
export async function explained<T>(options: DomainOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw findInterruption(error) ?? explain(error, options);
  }
}

function explain(error: unknown, options: DomainOptions): unknown {
  if (!isSealaneError(error)) return error;
  const hint = HINTS[error.code];
  if (hint === undefined) return error;
  // What the library tells programmers is left out: the hint says it for the command line.
  const message = commandWords(error.message).replace(
    /: (create it first, |state in `access` whose is meant).*$/,
    '',
  );
  return new CommandError(error.code, exitCodeOf(error.code), message, hint(domainWords(options)));
}

/** Options of the library are those of a command under other names. */
export function commandWords(message: string): string {
  const named = message.replace(/\boptions\.id\b/, 'the id');
  const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return named.replace(/\boptions\.([a-zA-Z]+)\b/, (_, name: string) => `--${kebab(name)}`);
}

/** The next step for what means something else here than with a broker; `where` are the options of the domain. */
const HINTS: Readonly<Record<string, ((where: string) => string | undefined) | undefined>> = {
  ERR_SEALANE_NO_SERVICE: (where) =>
    `\`sealane service list${where}\` shows those that are there; --wait waits for it`,
  ERR_SEALANE_SETTINGS_MISMATCH: (where) => `\`sealane service inspect${where} NAME\` shows what it has`,
  ERR_SEALANE_LIMIT_EXCEEDED: (where) =>
    `\`sealane service inspect${where} NAME\` shows the limits and who is there`,
  ERR_SEALANE_SUBSCRIBER_FULL: () => 'publish with --when-full wait or drop, or more slowly with --rate',
  ERR_SEALANE_EXHAUSTED: () =>
    'lower --max-bytes or --buffer-size, or raise the limit that `sealane doctor` shows',
  ERR_SEALANE_UNSAFE_DIRECTORY: () =>
    '--directory PATH or $SEALANE_DIR names another place, --shared DIR or $SEALANE_SHARED_DIR another shared domain',
  ERR_SEALANE_ACCESS_DENIED: (where) => `\`sealane service list${where}\` shows whose services there are`,
  ERR_SEALANE_UNTRUSTED_PEER: (where) =>
    `\`sealane service list${where}\` shows whose services there are; --allow-user USER says whose is meant`,
  ERR_SEALANE_INVALID_ARGUMENT: () => 'the command with --help shows what it takes',
  ERR_SEALANE_TIMEOUT: () => undefined,
};

/** Opens a service of whatever kind; with `wait` as soon as there is one. */
export async function openService<S>(
  node: Node,
  open: () => Promise<S>,
  wait: { wait?: boolean | undefined; signal: AbortSignal },
): Promise<S> {
  // Followed from before the first look: what appears between two looks is told.
  const events = node.events({ signal: wait.signal });
  try {
    for (;;) {
      try {
        return await open();
      } catch (error) {
        if (!wait.wait || !isSealaneError(error, 'ERR_SEALANE_NO_SERVICE')) throw error;
      }
      await events.next();
    }
  } finally {
    await events.return?.();
  }
}

/**
 * Runs `work` with a signal that also fires when it takes longer than `timeoutMs` (undefined: without end). Throws what `late` makes then.
 */
export async function withTimeout<T>(
  signal: AbortSignal,
  timeoutMs: number | undefined,
  late: () => CommandError,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return await work(signal);
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    return await work(AbortSignal.any([signal, controller.signal]));
  } catch (error) {
    if (controller.signal.aborted && isSealaneError(error, 'ERR_SEALANE_ABORTED') && !signal.aborted)
      throw late();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The error of a wait that took too long. */
export function tooLate(message: string, hint: string): CommandError {
  return new CommandError('ERR_SEALANE_TIMEOUT', EXIT.timeout, message, hint);
}

/** Longest time for which a busy command keeps signals, timers and other nodes waiting. */
const BUSY_MS = 5;
/** How many steps it takes between two looks at the clock. */
const STEPS = 64;

/** Lets the event loop turn now and then while there is always something to do. */
export class Turns {
  #steps = 0;
  #lastMs = performance.now();

  /** Whether it is time to await {@link give}. */
  get due(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS === 0 && performance.now() - this.#lastMs > BUSY_MS;
  }

  /** Lets everything else run once. Throws the reason of a signal that fired. */
  async give(signal: AbortSignal): Promise<void> {
    await setImmediate();
    this.#lastMs = performance.now();
    signal.throwIfAborted();
  }
}
