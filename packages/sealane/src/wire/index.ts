/** The native protocol: everything that the layers above may use of it. */
export { decodeHeader } from './header.js';
export * from './memfdbus.js';
export * from './messages.js';
export * from './numbers.js';
export { NamePattern } from './pattern.js';
export { protocolError } from './protocol-error.js';
export { decodeRequest, encodeRequest } from './requests.js';
export { decodeResponse, encodeRefusal, encodeResponse } from './responses.js';
export { codeToStatus, isErrorStatus, statusToCode } from './status.js';
