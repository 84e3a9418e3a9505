/** `sealane policy check`: whether a policy file is right, what it surely does not mean, and what it lets a caller do. */
import { EXIT } from '../exit-codes.js';
import { type CallerOptions, describeCaller, type Explained, explain } from '../policy/explanation.js';
import { type LoadedPolicy, loadPolicy } from '../policy/load.js';
import { type Problem, problemLine } from '../policy/problems.js';
import { escapeControls, field } from '../terminal/escape.js';
import { renderTable } from '../terminal/table.js';
import type { Screen, Terminal } from '../terminal/terminal.js';
import { formatCount } from '../terminal/units.js';

/**
 * Prints a line for each problem, and what the caller of `--as` may do. The exit code is that of bad data when a broker would not
 * take the file, and that of denied access when the caller would be refused.
 */
export async function runPolicyCheck(
  file: string,
  options: CallerOptions,
  terminal: Terminal,
): Promise<void> {
  const { out } = terminal;
  const loaded = await loadPolicy(file, { checkIds: true });
  const explained =
    loaded.options === undefined ? undefined : await explain(loaded.options, options, loaded.positions);
  if (terminal.json) terminal.writeJson(toJson(file, loaded, explained));
  else {
    for (const problem of loaded.problems)
      out.line(paint(problem, escapeControls(problemLine(file, problem)), out));
    out.line(escapeControls(`${file}: ${verdict(loaded)}`));
    if (explained !== undefined) printExplained(explained, out);
  }
  if (loaded.options === undefined) process.exitCode = EXIT.badData;
  else if (explained?.connects === false) process.exitCode = EXIT.accessDenied;
}

function toJson(file: string, { options, problems }: LoadedPolicy, explained: Explained | undefined): object {
  const asked =
    explained === undefined
      ? {}
      : { caller: explained.caller, connects: explained.connects, explanation: explained.explanation };
  return { file, right: options !== undefined, problems, ...asked };
}

function paint({ severity }: Problem, line: string, { style }: Screen): string {
  return severity === 'error' ? style.red(line) : style.yellow(line);
}

function verdict({ options, problems }: LoadedPolicy): string {
  const count = (severity: Problem['severity']) =>
    problems.filter((problem) => problem.severity === severity).length;
  const warnings = count('warning') === 0 ? '' : `, with ${formatCount(count('warning'), 'warning')}`;
  if (options === undefined) return `wrong: ${formatCount(count('error'), 'error')}${warnings}`;
  const { admit = [], jobs = [], grants = [], quotas = [] } = options;
  return `right${warnings}: ${admit.length} admit, ${jobs.length} job, ${grants.length} grant, ${quotas.length} quota`;
}

function printExplained({ caller, facts }: Explained, out: Screen): void {
  const described = describeCaller(caller);
  const rows = facts.map(({ what, answer, because }) => [what, answer, because]);
  if (!out.terminal) {
    for (const row of [['caller', described, ''], ...rows]) out.line(row.map(field).join('\t'));
    return;
  }
  out.line(escapeControls(described));
  const columns = [{ title: 'MAY IT' }, { title: 'ANSWER' }, { title: 'BECAUSE' }];
  for (const line of renderTable(
    columns,
    rows.map((row) => row.map(escapeControls)),
    out.layout,
  ))
    out.line(line);
}
