// What the two ends of a socket delivery agree on.

/** How a consumer reads: `whole` keeps each payload as one array, `pieces` looks at what comes and forgets it. */
export type SocketReading = 'whole' | 'pieces';

/** A payload follows its size, a little-endian double; a consumer answers with the same for what it looked at. */
export const SIZE_BYTES = 8;
