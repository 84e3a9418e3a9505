/** Waiting for standard output to take more: what nobody reads is not to fill memory. */
import type { Terminal } from '../terminal/terminal.js';

/** Undefined while standard output takes more; else resolves when it does. */
export function room(terminal: Terminal, signal: AbortSignal): Promise<void> | undefined {
  const { stdout } = terminal;
  if (!(stdout as NodeJS.WriteStream).writableNeedDrain) return undefined;
  return unlessAborted(terminal, signal, (done) => void stdout.once('drain', done));
}

/** A reader that stalls must not keep an interrupted command: what it has not read is lost. */
export async function unlessAborted(
  terminal: Terminal,
  signal: AbortSignal,
  begin: (done: (error?: Error | null) => void) => void,
): Promise<void> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      stop = () => {
        terminal.abandon();
        reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
      begin((error) => (error ? reject(error) : resolve()));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
