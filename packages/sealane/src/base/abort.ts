/**
 * Listening to AbortSignals. One listener a signal, however many wait: a program's one signal for its shutdown may end
 * hundreds of waits, and Node.js warns of more than ten listeners. Owns nothing: signals that are forgotten are forgotten here.
 */

const callbacks = new WeakMap<AbortSignal, Set<() => void>>();

/** Has `callback` called once when the signal fires. The result takes it back. The signal must not have fired yet. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const waiting = callbacks.get(signal) ?? listen(signal);
  waiting.add(callback);
  return () => {
    waiting.delete(callback);
  };
}

function listen(signal: AbortSignal): Set<() => void> {
  const waiting = new Set<() => void>();
  callbacks.set(signal, waiting);
  const fire = () => {
    for (const callback of [...waiting]) callback();
    waiting.clear();
  };
  signal.addEventListener('abort', fire, { once: true });
  return waiting;
}

/**
 * The promise, or a rejection with what `giveUp` returns as soon as the signal fires. The promise goes on by itself: whoever
 * made it sees to what it still brings.
 */
export async function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  giveUp: (signal: AbortSignal) => Error,
): Promise<T> {
  if (signal === undefined) return await promise;
  let forget: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(giveUp(signal));
    else forget = onAbort(signal, () => reject(giveUp(signal)));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget();
  }
}
