/**
 * The contract of what carries descriptors beside samples. The socket of a pair is one such channel; whatever else keeps to this can be another.
 */

/**
 * The sending end of a side channel to one subscriber. Tokens count up: each `send` has a greater one than all before.
 *
 * Contract: descriptors that were sent with a token can be claimed by it as soon as `send` has returned true, by a receiver that has
 * learnt of the token after that; each token once, with exactly the descriptors that were sent with it, in their order. Nothing else is
 * ever paired with it.
 */
export interface SideChannelSender {
  /** Whether MAX_DESCRIPTORS more may be under way now. Never blocks. */
  hasRoom(): boolean;
  /**
   * Sends 1 to 4 descriptors, which are borrowed, with their token. False: there is no room, or nobody is there; the token is then lost
   * to this subscriber, or tried again, and its sample may not be published before that succeeds. Never blocks, never throws.
   */
  sendDescriptors(token: number, descriptors: readonly number[]): boolean;
}

/** The receiving end of a side channel from one publisher. */
export interface SideChannelReceiver {
  /**
   * The descriptors of a token, which are the caller's from then on. Tokens are claimed in the order in which they count up; descriptors of
   * those that are passed over are closed. Throws ERR_SEALANE_MISSING_DESCRIPTOR when they did not come,
   * ERR_SEALANE_TOKEN_MISMATCH when others came instead, or the token was passed over before.
   */
  claimDescriptors(token: number): readonly number[];
  /** Closes what was not claimed. Idempotent. */
  close(): void;
}

/** Both ends. */
export interface SideChannel extends SideChannelSender, SideChannelReceiver {}
