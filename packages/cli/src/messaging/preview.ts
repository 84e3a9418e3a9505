/** The first bytes of a payload, as one field of a line: text where it is text, else hexadecimal digits. Pure. */
import { escapeText } from '../terminal/escape.js';

/** Bytes that are shown: enough to recognize something. */
const PREVIEW_BYTES = 24;

/** Whether these bytes are printable text, but for a character that was cut at the end. */
const PRINTABLE = /^[^\p{Cc}\ufffd]+\ufffd?$/u;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Text in quotes, or digits in pairs; three dots stand for what is left out. Empty for no bytes. */
export function preview(bytes: Uint8Array, most = PREVIEW_BYTES): string {
  const shown = bytes.subarray(0, most);
  const more = bytes.length > most ? '...' : '';
  const text = decoder.decode(shown);
  if (bytes.length === 0) return '';
  if (PRINTABLE.test(text.trimEnd())) return `"${escapeText(text.replace(/\ufffd$/, ''))}"${more}`;
  return (
    Buffer.from(shown)
      .toString('hex')
      .replace(/..(?=.)/g, '$& ') + more
  );
}
