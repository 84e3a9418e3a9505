/** The demo's result for people: a table and bars. Pure: figures in, lines out. */
import { bar } from '../terminal/bars.js';
import { escapeText } from '../terminal/escape.js';
import { type Column, renderTable, type TableLayout } from '../terminal/table.js';
import { formatBytes, formatDuration, formatRate, formatRatio } from '../terminal/units.js';
import { pad } from '../terminal/width.js';
import type { Way } from './protocol.js';
import type { WayFigures, WayResult } from './run.js';

/** What the report tells about. */
export interface DemoReport {
  files: readonly { path: string; size: number }[];
  consumers: number;
  rounds: number;
  results: readonly WayResult[];
}

/** How the report is drawn. */
export interface ReportLayout extends TableLayout {
  unicode: boolean;
}

/** What each way is called. */
export const WAY_TITLES: Readonly<Record<Way, string>> = {
  sealane: 'Sealane',
  socket: 'Unix socket (node:net)',
  messages: 'child_process messages',
};

/** One plot: a value for each way. */
export interface Plot {
  title: string;
  rows: readonly { way: Way; title: string; value: number; label: string }[];
}

const BAR_COLUMNS = 40;
const LEGEND_COLUMNS = 11;
const INDENT = '  ';

const COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'published', align: 'right' },
  { title: 'at hand', align: 'right' },
  { title: 'all read', align: 'right' },
  { title: 'throughput', align: 'right' },
  { title: 'memory', align: 'right' },
  { title: 'private', align: 'right' },
];

/** The whole report. */
export function renderReport(report: DemoReport, layout: ReportLayout): string[] {
  const { style } = layout;
  const rows = report.results.map((result) => rowOf(result, report));
  const plots = plotsOf(report);
  return [
    style.bold(headline(report)),
    '',
    ...renderTable(COLUMNS, rows, { ...layout, indent: INDENT.length }),
    ...report.results.flatMap(({ way, skipped }) =>
      skipped ? [`${INDENT}${WAY_TITLES[way]} was left out: ${skipped}.`] : [],
    ),
    ...plots.flatMap((plot) => ['', ...renderPlot(plot, layout)]),
    '',
    ...legend(report).map((line) => style.dim(line)),
    '',
    ...conclusion(report),
    ...explanation(report),
  ];
}

/** All bytes of all files. */
export function totalBytes({ files }: Pick<DemoReport, 'files'>): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** What was delivered to how many. */
export function headline(report: DemoReport): string {
  const [first] = report.files;
  const what =
    report.files.length === 1 && first !== undefined
      ? escapeText(first.path)
      : `${report.files.length} files`;
  const processes = report.consumers === 1 ? '1 process' : `${report.consumers} processes`;
  return `${what} (${formatBytes(totalBytes(report))}), delivered to ${processes}`;
}

function rowOf({ way, figures }: WayResult, report: DemoReport): string[] {
  if (figures === undefined) return [WAY_TITLES[way], '-', '-', '-', '-', '-', '-'];
  const { memory } = figures;
  return [
    WAY_TITLES[way],
    formatDuration(figures.publishedMs),
    formatDuration(figures.inHandMs),
    formatDuration(figures.readMs),
    formatRate(totalBytes(report) * report.consumers, figures.readMs),
    memory === undefined ? '-' : formatBytes(Math.max(0, memory.pssBytes)),
    memory === undefined ? '-' : formatBytes(Math.max(0, memory.privateBytes)),
  ];
}

/** The two plots: time and memory. A way without the figure is left out of the plot. */
export function plotsOf({ results }: DemoReport): Plot[] {
  const plot = (
    title: string,
    pick: (figures: WayFigures) => number | undefined,
    format: (value: number) => string,
  ) => {
    const rows = results.flatMap(({ way, figures }) => {
      const value = figures === undefined ? undefined : pick(figures);
      return value === undefined
        ? []
        : [{ way, title: WAY_TITLES[way], value: Math.max(0, value), label: format(Math.max(0, value)) }];
    });
    return {
      title,
      rows: rows.map((row) => ({ ...row, label: withRatio(row.label, row.value, rows[0]?.value) })),
    };
  };
  return [
    plot('Time until every consumer had read every byte', (figures) => figures.readMs, formatDuration),
    plot('Memory that the consumers gained together', (figures) => figures.memory?.pssBytes, formatBytes),
  ].filter(({ rows }) => rows.length > 0);
}

/** Figures are compared with the first way's. */
function withRatio(label: string, value: number, first: number | undefined): string {
  return first === undefined || first === 0 || value === first
    ? label
    : `${label} (${formatRatio(value, first)})`;
}

function renderPlot({ title, rows }: Plot, { style, unicode }: ReportLayout): string[] {
  const largest = Math.max(...rows.map(({ value }) => value));
  const width = Math.max(...rows.map((row) => row.title.length));
  const lines = rows.map(({ way, title: name, value, label }) => {
    const drawn = bar(value / largest, BAR_COLUMNS, unicode);
    const painted = way === 'sealane' ? style.green(drawn) : style.yellow(drawn);
    return `${INDENT}${pad(name, width, 'left')}  ${painted} ${label}`;
  });
  return [style.bold(title), ...lines];
}

/** What the columns mean, in the order of the table. */
const LEGEND: readonly (readonly [column: string, meaning: string])[] = [
  ['published', 'the bytes are in memory, ready to be had; reading the file is included'],
  ['at hand', 'the last consumer has all of them'],
  ['all read', 'the last consumer has read every one of them'],
  ['memory', 'what the consumers gained together, shared pages counted once (PSS)'],
  ['private', 'pages that one process alone has'],
];

function legend({ rounds }: DemoReport): string[] {
  const runs = rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`;
  return [
    ...LEGEND.map(([column, meaning]) => `${INDENT}${pad(column, LEGEND_COLUMNS, 'left')}${meaning}`),
    `${INDENT}${runs}, with new processes each. The files are in the page cache.`,
  ];
}

/** What was verified, and what it amounts to. */
function conclusion({ results }: DemoReport): string[] {
  const figures = results.flatMap((result) => result.figures ?? []);
  const wrong = figures.reduce((sum, { wrong }) => sum + wrong, 0);
  const verified = figures.reduce((sum, { verified }) => sum + verified, 0);
  if (wrong > 0)
    return [`VERIFICATION FAILED: ${wrong} of ${wrong + verified} SHA-256 digests differ from the files'.`];
  return [
    `Verified: all ${verified} SHA-256 digests that the consumers computed from what they received are the files'.`,
  ];
}

/** Below this mean size of a file, in bytes, what an object costs whatever its size is what is measured. */
const SMALL_FILE_BYTES = 1_048_576;

/** Why another way was faster, if one was. */
function explanation(report: DemoReport): string[] {
  const readMs = (way: Way) => report.results.find((result) => result.way === way)?.figures?.readMs;
  const own = readMs('sealane');
  const others = report.results.flatMap(({ way }) => (way === 'sealane' ? [] : (readMs(way) ?? [])));
  if (own === undefined || own <= Math.min(...others)) return [];
  const meanBytes = totalBytes(report) / report.files.length;
  return ['', ...(meanBytes < SMALL_FILE_BYTES ? whySmall(meanBytes) : WHY_LARGE)];
}

function whySmall(meanBytes: number): string[] {
  return [
    `Sealane was slower here because the files are small (${formatBytes(meanBytes)} on average). An object costs its`,
    'publisher and each consumer a request and a few system calls whatever its size, and copying so few bytes',
    'costs less than that. With files of some MiB and several consumers it is the other way round.',
  ];
}

const WHY_LARGE: readonly string[] = [
  'Sealane was slower here: consumers that want every byte, once, get a copy from a socket as fast as they map',
  'and read the pages. What is saved then is memory; with more consumers (--consumers), or with consumers that',
  'read a part or keep the data, time as well.',
];
