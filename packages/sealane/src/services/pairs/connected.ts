/** Waiting until a port has enough peers. Owns nothing. */
import { checkInteger, checkOptions, checkSignal } from '../../base/check.js';

/** A port whose peers come and go. */
export interface Connecting {
  /** How many are connected; undefined: the port is closed, which changed() tells. */
  peers(): number | undefined;
  /** Resolves when their number may have changed. Rejects when the signal fires, or the port is closed. */
  changed(signal: AbortSignal | undefined): Promise<void>;
}

/** Resolves once at least `count` are connected. Rejects with ERR_SEALANE_INVALID_ARGUMENT, and as {@link Connecting.changed}. */
export async function untilConnected(
  count: number,
  options: { readonly signal?: AbortSignal },
  port: Connecting,
): Promise<void> {
  checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
  checkOptions('options', options, ['signal']);
  checkSignal('options.signal', options.signal);
  for (let peers = port.peers(); peers === undefined || peers < count; peers = port.peers())
    await port.changed(options.signal);
}
