/** What the broker tells about an object, as callers see it. Pure: owns nothing. */
import type { ObjectInfo } from '../wire/index.js';

/** A description of one object. It holds no resource: the object may be gone a moment later. */
export interface BlobInfo {
  /** Counts up from 1 in the broker's life; never used twice. A larger id is a newer object. */
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** Up to 65,536 bytes of UTF-8; absent for an object that was put without a name. */
  readonly name?: string;
  /** `sha256:` and 64 lower-case hexadecimal digits; absent until somebody asked for it. */
  readonly digest?: string;
  /** The job that owns the object; absent: it belongs to everyone of this user. */
  readonly owner?: string;
  /** Jobs beside the owner that may get it, not drop it. */
  readonly allowed: readonly string[];
  /** Small facts that the publisher attached: dtype, shape, content type and so on. Has no prototype. */
  readonly metadata: Readonly<Record<string, string>>;
  /** When the broker accepted it, by the broker's clock. */
  readonly createdAt: Date;
  /** When the broker will drop it; absent: when somebody drops it. */
  readonly expiresAt?: Date;
  /** The user whose process put it. */
  readonly uid: number;
}

/** How a digest is written everywhere but on the wire. */
export const DIGEST_PREFIX = 'sha256:';

/** The public form of what came over the wire. */
export function toBlobInfo(object: ObjectInfo): BlobInfo {
  return {
    id: object.id,
    size: object.size,
    ...(object.name === undefined ? {} : { name: object.name }),
    ...(object.digest === undefined ? {} : { digest: DIGEST_PREFIX + object.digest }),
    ...(object.owner === undefined ? {} : { owner: object.owner }),
    allowed: object.allowed,
    metadata: object.metadata,
    createdAt: new Date(object.createdAtMs),
    ...(object.expiresAtMs === undefined ? {} : { expiresAt: new Date(object.expiresAtMs) }),
    uid: object.uid,
  };
}
