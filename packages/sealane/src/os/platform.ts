/** Where the library works at all. Owns nothing. */
import { addon } from '../native/addon.js';

/** Throws ERR_SEALANE_UNSUPPORTED_PLATFORM where nothing could work: before anything is made in vain. */
export function requirePlatform(): void {
  addon();
}
