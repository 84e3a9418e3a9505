/**
 * Makes text that others chose (names, job ids, metadata, messages) safe to print: no escape sequence reaches
 * the terminal, no tab or newline forges a field or a line, no bidirectional control reorders what is read.
 * Pure.
 */

/** Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const NAMED: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
};

/** What stands in a line for a value that is absent. */
export const ABSENT = '-';

/**
 * C escapes: the named ones, three octal digits for other control bytes, `\uHHHH` for other unsafe
 * characters, `\\` for a backslash. All have a fixed length, so that the text can be recovered exactly
 * (`printf %b` does).
 */
export function escapeText(text: string): string {
  return escapeControls(text.replaceAll('\\', '\\\\'));
}

/** As {@link escapeText}, but leaves backslashes alone: for prose that nobody parses. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? escapeCharacter(character));
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? `\\${code.toString(8).padStart(3, '0')}` : unicodeEscape(character);
}

function unicodeEscape(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}

/**
 * One field of a tab-separated line. An absent value is `-`; a value that is itself `-` becomes its octal
 * escape.
 */
export function field(value: string | number | undefined): string {
  if (value === undefined) return ABSENT;
  return value === ABSENT ? '\\055' : escapeText(String(value));
}

/** A field that holds several values: joined by commas, with the commas inside them escaped. */
export function listField(values: readonly string[]): string {
  if (values.length === 0) return ABSENT;
  return values.map((value) => field(value).replaceAll(',', '\\054')).join(',');
}

/**
 * JSON on one line, with the unsafe characters that JSON leaves as they are (DEL, C1, bidirectional) escaped
 * too.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, unicodeEscape);
}

/** A word for a shell command that someone may paste: quoted unless it is plain. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (/^[^\p{Cc}]*$/u.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${escapeText(text).replaceAll("'", "\\'")}'`;
}
