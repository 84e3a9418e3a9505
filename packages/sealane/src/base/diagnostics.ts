/**
 * What Sealane tells whoever traces a program: channels of node:diagnostics_channel, and with NODE_DEBUG=sealane a line for each message
 * on the standard error output. A message is made only where somebody wants it. Nothing is told of single samples that arrive.
 */
import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import { isSealaneError, type SealaneError } from './errors.js';

/** A port of a service, and the one of a peer that it is, was, or can't be connected to. */
export interface PortMessage {
  readonly part: 'services';
  readonly service: string;
  /** The own node: 16 hexadecimal digits. */
  readonly node: string;
  /** What the own port is, for example `publisher`. */
  readonly kind: string;
  /** The own port's number within the node. */
  readonly port: number;
  readonly peer: {
    readonly node: string;
    readonly port: number;
    /** As the kernel says; 0 outside of this pid namespace, absent where nobody was asked. */
    readonly pid?: number;
  };
}

/** The process at the other end of a socket, as the kernel says. */
export interface ProcessMessage {
  /** `blobs`: a client, and its broker; `broker`: a broker, and its client. */
  readonly part: 'blobs' | 'broker';
  /** The path of the broker's socket, for a client. */
  readonly socket?: string;
  readonly peer: { readonly pid: number; readonly uid: number };
}

/** On `sealane:connected`. */
export type ConnectedMessage = PortMessage | ProcessMessage;

/** On `sealane:disconnected`. `error`: what the peer did that it may not, or what failed; without: it closed, or its process died. */
export type DisconnectedMessage = (PortMessage | ProcessMessage) & { readonly error?: SealaneError };

/**
 * On `sealane:lost`: so many samples did not get from one port to the other. A publisher tells of those that gave way or were dropped, a
 * subscriber of those that it found missing: of the same samples both do.
 */
export interface LostMessage extends PortMessage {
  readonly samples: number;
}

/** On `sealane:degraded`: a peer is there and can't be connected to for now, or a node can't admit anybody. */
export type DegradedMessage =
  | (PortMessage & { readonly error: SealaneError })
  | { readonly part: 'services'; readonly node: string; readonly error: SealaneError };

/** On `sealane:refused`: this side does not admit a peer, or a broker not this client. */
export interface RefusedMessage {
  readonly part: 'services' | 'blobs' | 'broker';
  /** The own node, for services. */
  readonly node?: string;
  /** The path of the broker's socket, for a client of it. */
  readonly socket?: string;
  readonly peer: { readonly pid: number; readonly uid: number };
  /** A word, or the code of an error. */
  readonly reason: string;
  /** For people. */
  readonly text: string;
}

const debug = debuglog('sealane');

/** One channel. */
export class Diagnostic<T extends object> {
  readonly #name: string;
  readonly #channel;

  constructor(name: string) {
    this.#name = name;
    this.#channel = channel(`sealane:${name}`);
  }

  /** Whether anybody listens: ask before a message is made. */
  get wanted(): boolean {
    return this.#channel.hasSubscribers || debug.enabled;
  }

  /** Listeners are called before this returns; what they throw is an uncaught exception of theirs. */
  tell(message: T): void {
    this.#channel.publish(message);
    if (debug.enabled) debug('%s', `${this.#name}${fields('', message)}`);
  }
}

export const diagnostics = {
  connected: new Diagnostic<ConnectedMessage>('connected'),
  disconnected: new Diagnostic<DisconnectedMessage>('disconnected'),
  lost: new Diagnostic<LostMessage>('lost'),
  degraded: new Diagnostic<DegradedMessage>('degraded'),
  refused: new Diagnostic<RefusedMessage>('refused'),
};

/** All fields of a message, as ` key=value`, on one line. */
function fields(prefix: string, message: object): string {
  const pairs = Object.entries(message).filter(([, value]) => value !== undefined);
  return pairs.map(([key, value]) => field(prefix + key, value)).join('');
}

function field(key: string, value: unknown): string {
  if (isSealaneError(value)) return ` ${key}=${value.code} text=${JSON.stringify(value.message)}`;
  if (typeof value === 'object' && value !== null) return fields(`${key}.`, value);
  const text = String(value);
  return ` ${key}=${/^[\w./-]+$/.test(text) ? text : JSON.stringify(text)}`;
}
