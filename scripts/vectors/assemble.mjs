/** Puts messages of the native protocol together from the tables of spec/blobs.md. Knows nothing of the codec that it is compared with. */

export const u16 = (value) => little(value, 2);
export const u32 = (value) => little(value, 4);
export const u64 = (value) => little(value, 8);
export const utf8 = (text) => Buffer.from(text, 'utf8').toString('hex');

function little(value, bytes) {
  const hex = BigInt(value)
    .toString(16)
    .padStart(2 * bytes, '0');
  return hex.match(/../g).reverse().join('');
}

export const lengthOf = (hex) => hex.replaceAll(' ', '').length / 2;
export const field = (tag, value = '') => `${u16(tag)} 0000 ${u32(lengthOf(value))} ${value}`.trim();
export const entry = (key, value) =>
  field(7, `${u32(lengthOf(utf8(key)))} ${utf8(key)} ${utf8(value)}`.trim());
export const group = (tag, fields) => field(tag, fields.join(' '));

/** A message as lines of hexadecimal digits: its header, then a line for each field. */
export function message(
  type,
  requestId,
  fields = [],
  { status = 0, flags = 0, reserved = 0, bodyBytes } = {},
) {
  const following = fields.reduce((sum, line) => sum + lengthOf(line), 0);
  const header = [
    u32(bodyBytes ?? following),
    u16(type),
    u16(flags),
    u32(requestId),
    u16(status),
    u16(reserved),
  ];
  return [header.join(' '), ...fields];
}

export const response = (type, requestId, fields, options) =>
  message(0x8000 + type, requestId, fields, options);

/** The SHA-256 of `hello`. */
export const DIGEST = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
