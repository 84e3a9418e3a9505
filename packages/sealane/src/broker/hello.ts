/** What a hello must be, whoever says it. Pure. */
import { SealaneError } from '../base/errors.js';
import { type HelloRequest, PROTOCOL_VERSION } from '../wire/index.js';

/** Throws ERR_SEALANE_WRONG_DESCRIPTOR, and ERR_SEALANE_VERSION_MISMATCH for a client that does not speak this version. */
export function checkHello({ minVersion, maxVersion }: HelloRequest, descriptorCount: number): void {
  if (descriptorCount > 0) {
    const message = `a hello carries no descriptor; it came with ${descriptorCount}`;
    throw new SealaneError('ERR_SEALANE_WRONG_DESCRIPTOR', message);
  }
  if (minVersion <= PROTOCOL_VERSION && maxVersion >= PROTOCOL_VERSION) return;
  throw new SealaneError(
    'ERR_SEALANE_VERSION_MISMATCH',
    `the client speaks versions ${minVersion} to ${maxVersion} of the protocol, and this broker version ${PROTOCOL_VERSION}; ` +
      'update the older of the two',
  );
}
