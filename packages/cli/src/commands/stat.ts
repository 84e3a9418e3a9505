/** `sealane stat`: what is known about one object. */
import type { BlobInfo } from 'sealane';
import { parseTarget, type TargetOptions } from '../arguments.js';
import { field } from '../terminal/escape.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatAge, formatBytes, formatRemaining } from '../terminal/units.js';
import { pad } from '../terminal/width.js';
import { type BusOptions, toJson, withBus } from './bus.js';

/** Here `--digest` asks for the digest; a target that is a digest is written `sha256:...`. */
export interface StatOptions extends BusOptions, Pick<TargetOptions, 'id' | 'name'> {
  digest?: boolean;
}

/** Prints one `key TAB value` line for each fact; on a terminal aligned, with sizes and ages for people. */
export async function runStat(argument: string, options: StatOptions, terminal: Terminal): Promise<void> {
  const target = parseTarget(argument, { id: options.id, name: options.name });
  const info = await withBus(options, (bus, { signal }) =>
    bus.stat(target, { digest: options.digest === true, signal }),
  );
  if (terminal.json) return terminal.writeJson(toJson(info));
  const { terminal: forPeople, style } = terminal.out;
  const facts = factsOf(info, forPeople ? Date.now() : undefined);
  const width = Math.max(...facts.map(([key]) => key.length));
  for (const [key, value] of facts) {
    terminal.out.line(forPeople ? `${style.dim(pad(key, width, 'left'))}  ${value}` : `${key}\t${value}`);
  }
}

/** Keys and values, escaped. With the time, sizes and times say what they mean beside what they are. */
function factsOf(info: BlobInfo, nowMs: number | undefined): [key: string, value: string][] {
  const about = (value: string, note: string) => (nowMs === undefined ? value : `${value} (${note})`);
  const passedMs = (date: Date) => (nowMs ?? 0) - date.getTime();
  return [
    ['id', String(info.id)],
    ['name', field(info.name)],
    ['size', about(String(info.size), formatBytes(info.size))],
    ['digest', field(info.digest)],
    ['owner', field(info.owner)],
    ...info.allowed.map((job): [string, string] => ['allowed', field(job)]),
    ['uid', String(info.uid)],
    ['created', about(info.createdAt.toISOString(), `${formatAge(passedMs(info.createdAt))} ago`)],
    [
      'expires',
      info.expiresAt === undefined
        ? '-'
        : about(info.expiresAt.toISOString(), `in ${formatRemaining(-passedMs(info.expiresAt))}`),
    ],
    ...Object.entries(info.metadata).map(([key, value]): [string, string] => [
      `meta.${field(key)}`,
      field(value),
    ]),
  ];
}
