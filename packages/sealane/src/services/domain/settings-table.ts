/**
 * What every kind of service does with its settings: defaults, limits, what fits what an opener requires, and what a file may say. Pure.
 * Trusts no settings that come from a file: another program of the user wrote it.
 */
import { checkOptions } from '../../base/check.js';
import { describe, invalidArgument, SealaneError } from '../../base/errors.js';
import { protocolError } from '../../wire/index.js';

/** What a setting may be: numbers have limits, and null stands for none. */
export type SettingValue = number | boolean | string | null;

/** One setting. */
export interface Setting {
  /** What it is where its creator states nothing. */
  readonly initial: SettingValue;
  /** Completes the sentence "the setting must ..."; undefined when the value is within its limits. */
  problemOf(value: unknown): string | undefined;
  /** Whether what a service has is good for an opener that wants that. */
  fits(existing: SettingValue, wanted: SettingValue): boolean;
  /** What is required of a service by who wants that. */
  demand(wanted: SettingValue): string;
}

/** An amount, of which a service has at least what is required. */
export function amount(initial: number, min: number, max: number): Setting {
  return {
    initial,
    problemOf(value) {
      if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
        return undefined;
      return `be an integer from ${min} to ${max}`;
    },
    fits: (existing, wanted) => Number(existing) >= Number(wanted),
    demand: (wanted) => `at least ${wanted}`,
  };
}

/** An amount that is a power of two. */
export function powerOfTwo(initial: number, min: number, max: number): Setting {
  const any = amount(initial, min, max);
  const isPower = (value: unknown) => Number.isInteger(Math.log2(Number(value)));
  return {
    ...any,
    problemOf: (value) => any.problemOf(value) ?? (isPower(value) ? undefined : 'be a power of two'),
  };
}

/** For what has a meaning that is agreed on: a service has exactly what is required. */
const EQUAL: Pick<Setting, 'fits' | 'demand'> = {
  fits: (existing, wanted) => existing === wanted,
  demand: (wanted) => `${wanted}`,
};

/** An amount of which there is exactly as much as is required. */
export function exact(setting: Setting): Setting {
  return { ...setting, ...EQUAL };
}

/** What the other setting is, or null; null unless stated. */
export function someOf(setting: Setting): Setting {
  const problemOf = (value: unknown) => {
    const problem = value === null ? undefined : setting.problemOf(value);
    return problem === undefined ? undefined : `${problem}, or null`;
  };
  return { ...setting, initial: null, problemOf };
}

/** One of some words. */
export function oneOf<Word extends string>(initial: Word, words: readonly Word[]): Setting {
  const must = `be one of ${words.map(describe).join(', ')}`;
  const problemOf = (value: unknown) => (words.some((word) => word === value) ? undefined : must);
  return { initial, problemOf, ...EQUAL };
}

/** True or false. */
export function flag(initial: boolean): Setting {
  const problemOf = (value: unknown) => (typeof value === 'boolean' ? undefined : 'be true or false');
  return { initial, problemOf, ...EQUAL };
}

/** What settings have to be together: each answers what is wrong with them, after "the settings"; undefined when nothing is. */
export interface Together<S> {
  /** What is wrong wherever it is. */
  problemOf(settings: S): string | undefined;
  /** What this process can't have, others may. */
  problemHere(settings: S): string | undefined;
}

/** All settings of one kind of service. */
export class SettingsTable<S extends object> {
  /** In the order of the documentation. */
  readonly names: readonly (keyof S & string)[];
  readonly #settings: { readonly [K in keyof S]: Setting };
  readonly #together: Together<S>;

  constructor(settings: { readonly [K in keyof S]: Setting }, together: Together<S>) {
    this.#settings = settings;
    this.names = Object.keys(settings) as (keyof S & string)[];
    this.#together = together;
  }

  /**
   * The settings of a service that is to be made: what is given, and the defaults. Throws ERR_SEALANE_INVALID_ARGUMENT for a setting
   * that is unknown or outside its limits, and for settings that can't be together, naming those to change.
   */
  complete(given: Partial<S> = {}): S {
    const stated = this.check(given);
    const initial = this.names.map((name) => [name, this.#settings[name].initial]);
    const settings: S = Object.freeze({ ...Object.fromEntries(initial), ...stated });
    const problem = this.#together.problemOf(settings) ?? this.#together.problemHere(settings);
    if (problem !== undefined) throw new SealaneError('ERR_SEALANE_INVALID_ARGUMENT', `settings ${problem}`);
    return settings;
  }

  /** What is stated in `given`, without what is undefined. Throws ERR_SEALANE_INVALID_ARGUMENT as {@link complete}, but for what is together. */
  check(given: Partial<S>): Partial<S> {
    checkOptions('settings', given, this.names);
    const stated: Partial<S> = {};
    for (const name of this.names) {
      const value = given[name];
      if (value === undefined) continue;
      const must = this.#settings[name].problemOf(value);
      if (must !== undefined) throw invalidArgument(`settings.${name}`, must, value);
      stated[name] = value;
    }
    return stated;
  }

  /**
   * Throws ERR_SEALANE_SETTINGS_MISMATCH unless the settings of the existing `service` fit what is required: the message names the
   * first that does not, and both values. Throws ERR_SEALANE_LIMIT_EXCEEDED when this process can't have them.
   */
  require(service: string, existing: S, required: Partial<S>): void {
    for (const name of this.names) {
      const setting = this.#settings[name];
      const [has, wanted] = [existing[name] as SettingValue, required[name] as SettingValue | undefined];
      if (wanted === undefined || setting.fits(has, wanted)) continue;
      throw new SealaneError(
        'ERR_SEALANE_SETTINGS_MISMATCH',
        `the service ${describe(service)} has ${name} ${has}, and ${setting.demand(wanted)} is required: ` +
          'require what it has, or let its creator define it so once every node has closed it',
      );
    }
    const problem = this.#together.problemHere(existing);
    if (problem === undefined) return;
    const message = `the settings of the service ${describe(service)} ${problem}`;
    throw new SealaneError('ERR_SEALANE_LIMIT_EXCEEDED', message);
  }

  /**
   * The settings in a file that another program wrote. Throws ERR_SEALANE_PROTOCOL unless all of them are there, and each within its
   * limits. Whether this process can have them is asked later: {@link require}.
   */
  parse(value: Readonly<Record<string, unknown>>): S {
    for (const name of this.names) {
      const problem = this.#settings[name].problemOf(value[name]);
      if (problem !== undefined)
        throw protocolError(`the setting ${name} must ${problem}; it is ${describe(value[name])}`);
    }
    const parsed: S = Object.freeze(
      Object.fromEntries(this.names.map((name) => [name, value[name]])) as unknown as S,
    );
    const problem = this.#together.problemOf(parsed);
    if (problem !== undefined) throw protocolError(`the settings ${problem}`);
    return parsed;
  }
}
