/** The manual: a page for each command from the tree of commands, and an overview. Pure. */
import { EXIT_CODE_TABLE } from '../exit-codes.js';
import {
  type ArgumentEntry,
  type CommandEntry,
  flatten,
  type OptionEntry,
  type Value,
} from '../reference/tree.js';
import type { CommandTexts } from './command-texts.js';
import { POLICY_FILE } from './policy-file.js';
import { type Block, bold, escapeText, italic, type Page, renderPage, type Section } from './roff.js';
import { ENVIRONMENT, FILES, OVERVIEW, REVISED, TEXTS } from './texts.js';

/** All pages as roff, by the name of their file: `sealane-put.1`. */
export function renderManual(program: CommandEntry, version: string): Map<string, string> {
  const commands = flatten(program).filter(({ path }) => path.length > 1 && path.at(-1) !== 'help');
  const pages: Page[] = [
    programPage(program, commands),
    ...commands.map(commandPage),
    { name: 'sealane-policy', section: 5, sections: POLICY_FILE },
    {
      name: 'sealane',
      section: 7,
      sections: [...OVERVIEW, seeAlso(['sealane(1)', 'memfd_create(2)', 'unix(7)'])],
    },
  ];
  return new Map(pages.map((page) => [`${page.name}.${page.section}`, renderPage(page, version, REVISED)]));
}

function programPage(program: CommandEntry, commands: readonly CommandEntry[]): Page {
  return {
    name: 'sealane',
    section: 1,
    sections: [
      nameSection('sealane', program.summary),
      synopsis(program),
      { title: 'DESCRIPTION', blocks: PROGRAM_DESCRIPTION },
      commandSection(commands.filter(({ path }) => path.length === 2)),
      { title: 'OPTIONS', blocks: [optionList(program.options)] },
      OUTPUT,
      ENVIRONMENT,
      FILES,
      { title: 'EXIT STATUS', blocks: [exitCodes()] },
      examples(['sealane broker &', 'sealane put model.bin', 'sealane get model.bin -o copy.bin']),
      seeAlso(['sealane-policy(5)', 'sealane(7)']),
    ],
  };
}

const PROGRAM_DESCRIPTION: readonly Block[] = [
  {
    paragraph:
      'Publishes, finds and reads immutable objects in sealed memory, which processes map without copying them. sealane(7) says what ' +
      'objects are, and whom one has to trust for what.',
  },
];

const OUTPUT: Section = {
  title: 'OUTPUT',
  blocks: [
    {
      paragraph:
        'Results go to standard output, messages and progress to standard error. A terminal gets tables, a pipe lines of fields ' +
        'that are separated by tabs; `--json` gets JSON, and errors are JSON too. An error is one line: what was wrong, and what to do.',
    },
  ],
};

const EXIT_STATUS = '0 on success. sealane(1) lists all codes.';

function commandPage(command: CommandEntry): Page {
  const texts: CommandTexts = TEXTS[command.path.slice(1).join(' ')] ?? {};
  const groups = [...new Set(command.options.map(({ group }) => group))];
  const own = command.options.filter(({ group }) => group === undefined);
  const parts = groups.flatMap((group) => (group === undefined ? [] : [optionGroup(command, group)]));
  return {
    name: pageName(command),
    section: 1,
    sections: [
      nameSection(pageName(command), firstLine(command.summary)),
      synopsis(command),
      { title: 'DESCRIPTION', blocks: [{ paragraph: command.summary }, ...(texts.description ?? [])] },
      ...(command.children.length === 0 ? [] : [commandSection(command.children)]),
      ...(command.arguments.length === 0 ? [] : [argumentSection(command.arguments)]),
      {
        title: 'OPTIONS',
        blocks: [optionList(own)],
        parts: [...parts, { title: 'Of every command', blocks: [optionList(command.globals)] }],
      },
      ...(texts.sections ?? []),
      { title: 'EXIT STATUS', blocks: [{ paragraph: texts.exitStatus ?? EXIT_STATUS }] },
      ...(texts.examples === undefined ? [] : [examples(texts.examples)]),
      seeAlso(['sealane(1)', 'sealane(7)', ...(texts.seeAlso ?? [])]),
    ],
  };
}

/** The pages of some commands. The help has none. */
function commandSection(commands: readonly CommandEntry[]): Section {
  const described = commands.filter(({ path }) => path.at(-1) !== 'help');
  const list = described.map((command): [string, string] => [
    `${bold(pageName(command))}(1)`,
    firstLine(command.summary),
  ]);
  return { title: 'COMMANDS', blocks: [{ list }] };
}

/** `sealane-policy-check` for the command `sealane policy check`. */
function pageName({ path }: CommandEntry): string {
  return path.join('-');
}

function nameSection(name: string, summary: string): Section {
  return {
    title: 'NAME',
    blocks: [{ paragraph: `${name} - ${summary.replace(/\.$/, '').replace(/^[A-Z]/, lower)}` }],
  };
}

function lower(letter: string): string {
  return letter.toLowerCase();
}

/** The first sentence. */
function firstLine(summary: string): string {
  return `${summary.split('. ')[0]?.replace(/\.$/, '')}.`;
}

function synopsis({ path, usage }: CommandEntry): Section {
  return { title: 'SYNOPSIS', blocks: [{ paragraph: `\`${path.join(' ')}\` ${usage}` }] };
}

function argumentSection(list: readonly ArgumentEntry[]): Section {
  const terms = list.map(({ name, variadic, help, choices }): [string, string] => [
    `${italic(name)}${variadic ? escapeText('...') : ''}`,
    sentence(choices.length === 0 ? help : `${help}: ${choices.join(', ')}`),
  ]);
  return { title: 'ARGUMENTS', blocks: [{ list: terms }] };
}

function optionGroup({ options }: CommandEntry, title: string): Section {
  return { title, blocks: [optionList(options.filter(({ group }) => group === title))] };
}

function optionList(options: readonly OptionEntry[]): Block {
  return {
    list: options.map(({ names, value, help }) => {
      const parameter = value === undefined ? '' : ` ${placeholder(value)}`;
      return [`${names.map(bold).join(', ')}${parameter}`, sentence(help)];
    }),
  };
}

/** The words that an option takes where only they will do, else what stands for its value. */
function placeholder({ name, choices }: Value): string {
  return choices.length === 0 ? italic(name) : choices.map(bold).join('|');
}

function exitCodes(): Block {
  return { list: EXIT_CODE_TABLE.map(([code, meaning]) => [bold(String(code)), exitMeaning(meaning)]) };
}

/** The name of a command begins no sentence: it stays as it is typed. */
function exitMeaning(meaning: string): string {
  return /^[a-z]+:/.test(meaning) ? `${meaning}.` : sentence(meaning);
}

function examples(lines: readonly string[]): Section {
  return { title: 'EXAMPLES', blocks: [{ lines }] };
}

function seeAlso(pages: readonly string[]): Section {
  return {
    title: 'SEE ALSO',
    blocks: [{ paragraph: pages.map((page) => page.replace(/^[^(]+/, '`$&`')).join(', ') }],
  };
}

/** A help as a sentence. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
