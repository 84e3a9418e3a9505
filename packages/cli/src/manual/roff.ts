/**
 * Text as roff, for the macros of man(7). Owns the escapes: no text becomes a request, whatever it begins with.
 * In running text, `backquotes` mark what is typed as it stands.
 */

/** A piece of a manual page. */
export type Block =
  | { readonly paragraph: string }
  /** Terms with their explanations; a term is roff already (see {@link bold}, {@link italic}). */
  | { readonly list: readonly (readonly [term: string, text: string])[] }
  /** Lines that stay as they are. */
  | { readonly lines: readonly string[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
  /** Parts of it with titles of their own. */
  readonly parts?: readonly Section[];
}

export interface Page {
  readonly name: string;
  /** Of the manual: 1 for commands, 5 for files, 7 for overviews. */
  readonly section: 1 | 5 | 7;
  readonly sections: readonly Section[];
}

/** Columns of a line of the source. */
const MAX_COLUMNS = 78;

/** A page as roff. `date` is YYYY-MM-DD. */
export function renderPage(page: Page, version: string, date: string): string {
  const words = [`sealane ${version}`, 'Sealane manual'].map((word) => `"${escapeText(word)}"`);
  return [
    '.\\" Made by scripts/make-man.mjs from the commands; not to be edited.',
    `.TH ${escapeText(page.name.toUpperCase())} ${page.section} ${date} ${words.join(' ')}`,
    // Neither hyphens nor spaces may be added to what a reader types.
    '.nh',
    '.ad l',
    ...page.sections.flatMap((section) => renderSection(section, 'SH')),
    '',
  ].join('\n');
}

function renderSection({ title, blocks, parts = [] }: Section, macro: 'SH' | 'SS'): string[] {
  return [
    `.${macro} ${escapeText(title)}`,
    ...blocks.flatMap((block, index) => renderBlock(block, index === 0)),
    ...parts.flatMap((part) => renderSection(part, 'SS')),
  ];
}

/** The first block follows its title without a paragraph of its own. */
function renderBlock(block: Block, first: boolean): string[] {
  const separator = first ? [] : ['.PP'];
  if ('paragraph' in block) return [...separator, textLine(block.paragraph)];
  if ('lines' in block) return [...separator, '.nf', '.RS 4', ...block.lines.map(exactLine), '.RE', '.fi'];
  return block.list.flatMap(([term, text]) => ['.TP', guard(term), textLine(text)]);
}

/** Typed as it stands. */
export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

/** To be replaced by a value. */
export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

/** Plain text: a minus stays one, so that what is copied from a page works. */
export function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll("'", '\\(aq');
}

/** Running text, as roff wants it: a line for each sentence at least, none longer than a reader of the source likes. */
function textLine(text: string): string {
  const marked = text.split('`').map((part, index) => (index % 2 === 1 ? bold(part) : escapeText(part)));
  const sentences = marked.join('').split(/(?<=[.?!]) (?=[A-Z\\])/);
  return sentences.flatMap(wrap).map(guard).join('\n');
}

function wrap(sentence: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of sentence.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > MAX_COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function exactLine(text: string): string {
  return guard(escapeText(text));
}

/** A line that begins with a dot would be a request. */
function guard(line: string): string {
  return line.startsWith('.') ? `\\&${line}` : line;
}
