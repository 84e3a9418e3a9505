/** Colour: whether to use it, and the few styles there are. Trusts the environment to mean what it says. */

/** Functions that wrap text in a style; each returns the text as it is where colour is off. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** What decides about colour. */
export interface ColourSettings {
  /** Whether the stream is a terminal. */
  terminal: boolean;
  /** The option `--no-color` makes it false. */
  wanted: boolean;
  environment: NodeJS.ProcessEnv;
}

/** `--no-color` wins, then NO_COLOR, then FORCE_COLOR; otherwise a terminal that is not dumb has colour. */
export function colourEnabled({ terminal, wanted, environment }: ColourSettings): boolean {
  const force = environment.FORCE_COLOR;
  if (!wanted || environment.NO_COLOR) return false;
  if (force === '0' || force === 'false') return false;
  if (force !== undefined) return true;
  return terminal && environment.TERM !== 'dumb';
}

/** Whether the locale says that the terminal shows more than ASCII. */
export function unicodeEnabled(environment: NodeJS.ProcessEnv): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return /utf-?8/i.test(locale) && environment.TERM !== 'dumb' && environment.TERM !== 'linux';
}

/** The styles, or functions that change nothing. */
export function createStyle(enabled: boolean): Style {
  const sgr = (open: number, close: number) => (text: string) =>
    enabled && text !== '' ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    bold: sgr(1, 22),
    dim: sgr(2, 22),
    red: sgr(31, 39),
    green: sgr(32, 39),
    yellow: sgr(33, 39),
    cyan: sgr(36, 39),
  };
}
