/** The one error of decoding: a peer sent what the protocol does not allow. Its message names what and at which byte. */
import { SealaneError } from '../base/errors.js';

/** ERR_SEALANE_PROTOCOL; `message` says what was wrong and where. */
export function protocolError(message: string): SealaneError {
  return new SealaneError('ERR_SEALANE_PROTOCOL', message);
}
