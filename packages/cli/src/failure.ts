/**
 * Turns every error that ends a command into what a person or a script reads: a message, the next step, an
 * exit code. Trusts no text in it: messages may quote names that others chose, so all of it is escaped before
 * it is printed.
 */
import { EXIT, exitCodeOf } from './exit-codes.js';
import { escapeControls, jsonText, shellWord } from './terminal/escape.js';
import type { Terminal } from './terminal/terminal.js';

/** An error that a command throws itself: it knows its exit code and what to do next. */
export class CommandError extends Error {
  /** A stable word for scripts: `ERR_...`. */
  readonly code: string;
  readonly exitCode: number;
  /** The next step, as it continues the message after a semicolon. */
  readonly hint: string | undefined;

  constructor(code: string, exitCode: number, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** The error for arguments that do not fit. */
export function usageError(message: string, hint?: string): CommandError {
  return new CommandError('ERR_SEALANE_CLI_USAGE', EXIT.usage, message, hint);
}

/** The reason with which a signal aborts what a command is doing. */
export class Interruption extends Error {
  readonly signal: NodeJS.Signals;
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
    this.exitCode = signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted;
  }
}

/** What is printed and returned for an error. */
export interface Failure {
  code: string;
  message: string;
  hint?: string;
  exitCode: number;
}

/** What a hint may need to know about the command that failed. */
export interface FailureContext {
  /** The socket that was given or would be taken; undefined when the command has none. */
  socket?: string | undefined;
}

interface CodedError extends Error {
  code?: unknown;
  errnoName?: unknown;
  syscall?: unknown;
  cause?: unknown;
}

/** A text, or how to make it of the context and the message. */
type Hint = string | ((context: FailureContext, message: string) => string | undefined);

/** How the library names the way to trust a broker of another user. */
const TRUST_ADVICE = 'name that user in trustedUsers';

/** The next step for each code that has one. What the library's message says already is not repeated. */
const HINTS: Readonly<Record<string, Hint | undefined>> = {
  ERR_SEALANE_NO_BROKER: ({ socket }) => `start one with \`sealane broker${socketOption(socket)}\``,
  ERR_SEALANE_CONNECTION_LOST: ({ socket }) =>
    `see whether the broker still runs with \`sealane doctor${socketOption(socket)}\`, then try again`,
  ERR_SEALANE_NOT_FOUND: ({ socket }) =>
    `\`sealane list${socketOption(socket)}\` shows what this job may see`,
  // What a policy refuses comes with its own next step.
  ERR_SEALANE_ACCESS_DENIED: (_, message) =>
    message.includes("broker's policy")
      ? undefined
      : 'name the job that owns it with --job-id JOB or $SEALANE_JOB_ID',
  // A quota is no option of the broker.
  ERR_SEALANE_LIMIT_EXCEEDED: (_, message) =>
    message.includes("broker's policy") ? undefined : '`sealane broker --help` lists the limits',
  ERR_SEALANE_EXHAUSTED: 'drop objects or raise the limit that `sealane doctor` shows',
  ERR_SEALANE_WATCH_OVERRUN:
    'consume faster, watch without --every, or raise --max-watch-backlog of the broker',
  ERR_SEALANE_BROKER_RUNNING: '--socket PATH names another place',
  ERR_SEALANE_UNTRUSTED_PEER: (_, message) =>
    message.includes(TRUST_ADVICE)
      ? 'if that is the broker you mean, trust its user with --trust-user USER or $SEALANE_TRUST_USER; else check --socket and $SEALANE_SOCKET'
      : undefined,
  ERR_SEALANE_UNSAFE_DIRECTORY: '--socket PATH names another place for the socket alone',
  ERR_SEALANE_VERSION_MISMATCH: 'run the same version of sealane on both sides',
  ERR_SEALANE_UNSUPPORTED_PLATFORM: '`sealane doctor` shows what is missing',
  ERR_SEALANE_TIMEOUT: 'wait longer with --timeout, or see with `sealane doctor` whether the broker answers',
  ERR_SEALANE_DIGEST_MISMATCH: 'the content is not what was promised: publish it again from its source',
  ENOENT: 'check the path',
  EACCES: 'check the permissions of the file and its directories',
  EISDIR: (_, message) =>
    message.includes('for writing')
      ? 'give the path of a file'
      : 'give a file; pack a directory first, for example `tar -c DIR | sealane put - --name NAME`',
  EPROTOTYPE:
    'something other than a Sealane broker listens there; give the socket of the broker with --socket PATH',
  ELOOP: 'name the file itself, not a symbolic link to it',
  ENXIO: 'start the reader of the named pipe first',
  ENOSPC: 'free some space, or write elsewhere with -o FILE',
};

function socketOption(socket: string | undefined): string {
  return socket === undefined ? '' : ` --socket ${shellWord(socket)}`;
}

/** The failure that an error amounts to. Never throws, whatever was thrown. */
export function describeFailure(error: unknown, context: FailureContext = {}): Failure {
  if (error instanceof CommandError) {
    return failure(error.code, error.message, error.exitCode, error.hint);
  }
  if (!(error instanceof Error)) return failure('ERR_SEALANE_INTERNAL', String(error), EXIT.failure);
  const { code, errnoName } = error as CodedError;
  const name = typeof code === 'string' ? code : 'ERR_SEALANE_INTERNAL';
  const hint = HINTS[typeof errnoName === 'string' && HINTS[name] === undefined ? errnoName : name];
  const text = typeof hint === 'function' ? hint(context, error.message) : hint;
  return failure(name, forCommandLine(name, error.message), exitCodeFor(name, error), text);
}

/** A socket that the caller may not connect to refuses access like a broker that does not admit it. */
function exitCodeFor(code: string, { errnoName, syscall }: CodedError): number {
  return syscall === 'connect' && errnoName === 'EACCES' ? EXIT.accessDenied : exitCodeOf(code);
}

/** What the broker refuses most often, in the words that scripts made for memfdbus look for. */
const REFUSALS: Readonly<Record<string, string | undefined>> = {
  ERR_SEALANE_NOT_FOUND: 'object not found',
  ERR_SEALANE_ACCESS_DENIED: 'access denied',
  ERR_SEALANE_DIGEST_MISMATCH: 'digest mismatch',
};

/** What the library tells programmers is left out: the hint says it for the command line. */
function forCommandLine(code: string, message: string): string {
  const refusal = REFUSALS[code];
  const text = message
    .replace(/; (?:start one with `sealane broker` or|name that user in trustedUsers) .*$/, '')
    .replace(/^(?:options\.)?(socket|memfdbusSocket)(?= must )/, (_, name: string) =>
      name === 'socket' ? '--socket' : '--memfdbus-socket',
    );
  return refusal === undefined ? text : text.replace(/^the broker refused \w+: /, `${refusal}: `);
}

function failure(code: string, message: string, exitCode: number, hint?: string): Failure {
  return { code, message, ...(hint === undefined ? {} : { hint }), exitCode };
}

/** Prints a failure to standard error: `sealane: MESSAGE; HINT`, or one JSON object. */
export function reportFailure(terminal: Terminal, { code, message, hint, exitCode }: Failure): void {
  if (terminal.json) {
    const next = hint === undefined ? {} : { hint };
    terminal.err.line(jsonText({ error: { code, message, ...next, exitCode } }));
    return;
  }
  const text = escapeControls(hint === undefined ? message : `${message}; ${hint}`);
  terminal.err.line(`${terminal.err.style.red('sealane:')} ${text}`);
}

/** Whether an error, or what caused it, is a signal that a user sent. */
export function findInterruption(error: unknown): Interruption | undefined {
  for (let next: unknown = error, depth = 0; next instanceof Error && depth < 8; depth++) {
    if (next instanceof Interruption) return next;
    next = next.cause;
  }
  return undefined;
}
