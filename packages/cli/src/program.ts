/**
 * The command line as a tree of commands, options and help texts.
 * Owns no behaviour: each action loads its module and calls it. Nothing here may load the library.
 */
import { readFileSync } from 'node:fs';
import { Argument, Command, type Help, Option } from 'commander';
import { runs } from './action.js';
import { collect, count, digest, duration, job, metadata, objectName, size, text } from './arguments.js';
import { BROKER_LIMITS } from './broker-limits.js';
import { EXIT_CODE_TABLE } from './exit-codes.js';
import { addEvents } from './messaging/event-tree.js';
import { addMessaging } from './messaging/tree.js';
import type { Terminal } from './terminal/terminal.js';

/** The shells that `sealane completion` knows. */
const SHELLS = ['bash', 'zsh', 'fish'] as const;

const TARGET_HELP = 'an id (digits), a name, or sha256:DIGEST';

/** The whole command line. Parsing throws CommanderError or CommandError; it never ends the process. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('sealane')
    .description('Share data between the processes of this machine without copying it.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'Show the help of a command.')
    .option(
      '--socket <path>',
      'socket of the broker (default: $SEALANE_SOCKET, else broker.sock in the runtime directory)',
      text('--socket'),
    )
    .option(
      '--trust-user <user>',
      "trust a broker of this user, by name or id, beside one's own and root's (may be repeated; default: $SEALANE_TRUST_USER)",
      collect(text('--trust-user')),
    )
    .option('--json', 'print JSON: one document, or one object a line for list and watch; errors too')
    .option('--no-color', 'print without colour (so do NO_COLOR and pipes; FORCE_COLOR forces it)')
    .addHelpText('after', () => closingHelp(terminal))
    .exitOverride();
  configure(program, terminal);
  addBroker(program, terminal);
  addPut(program, terminal);
  addGet(program, terminal);
  addExec(program, terminal);
  addLookups(program, terminal);
  addWatch(program, terminal);
  addPolicy(program, terminal);
  addMessaging(program, terminal);
  addEvents(program, terminal);
  addTools(program, terminal);
  addShellTools(program, terminal);
  return program;
}

function readVersion(): string {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

function configure(program: Command, terminal: Terminal): void {
  program.configureOutput({
    // Errors are thrown and printed by main, in the form of all other errors.
    outputError: () => undefined,
    writeOut: (text) => terminal.out.write(text),
    writeErr: (text) => terminal.err.write(text),
    getOutHasColors: () => terminal.out.style.bold('x') !== 'x',
    getErrHasColors: () => terminal.err.style.bold('x') !== 'x',
  });
  const style: Partial<Help> = {
    showGlobalOptions: true,
    visibleGlobalOptions: (command) => globalOptionsOf(command),
    styleTitle: (title) => terminal.out.style.bold(title),
    styleCommandText: (name) => terminal.out.style.cyan(name),
    styleOptionText: (option) => terminal.out.style.cyan(option),
  };
  program.configureHelp(style);
}

/** The version is the program's, not the command's. */
function globalOptionsOf(command: Command): Option[] {
  if (command.parent === null) return [];
  return [...globalOptionsOf(command.parent), ...command.parent.options].filter(
    ({ long }) => long !== '--version',
  );
}

function closingHelp({ out }: Terminal): string {
  const codes = EXIT_CODE_TABLE.map(([code, meaning]) => `  ${String(code).padEnd(5)}${meaning}`);
  return [
    '',
    out.style.bold('Exit codes:'),
    ...codes,
    '',
    out.style.bold('Output:'),
    '  A terminal gets tables, a pipe gets one tab-separated line for each object:',
    '    ID  owner=JOB|-  allowed=JOB,JOB|-  SIZE  DIGEST|-  NAME|-',
    '  Control characters in names are C escapes, so that each line is one object (`printf %b` undoes them).',
    '',
    out.style.bold('Example:'),
    '  sealane broker &',
    '  sealane put model.bin            # prints the id',
    '  sealane get model.bin -o copy.bin',
  ].join('\n');
}

function jobOption(purpose: string): Option {
  return new Option(
    '--job-id <job>',
    `${purpose} (default: $SEALANE_JOB_ID, else $MEMFDBUS_JOB_ID)`,
  ).argParser(job('--job-id'));
}

function addBroker(program: Command, terminal: Terminal): void {
  const command = program
    .command('broker')
    .description(
      'Serve objects to the processes of this user until SIGINT or SIGTERM. Prints the socket when it serves.',
    )
    .option('--memfdbus-socket <path>', 'serve programs that speak memfdbus v1 at this path too')
    .option('--user <user>', 'admit this user too, by name or id (may be repeated)', collect(text('--user')))
    .addOption(
      new Option(
        '--policy <file>',
        'let this file (TOML) say who may do what; SIGHUP has it read anew, `sealane policy check` checks it',
      )
        .argParser(text('--policy'))
        .conflicts('user'),
    )
    .option(
      '--audit <file>',
      'append a JSON line for each operation to this file, which SIGHUP has opened anew; - is standard output',
      text('--audit'),
    )
    .addOption(
      new Option(
        '--audit-when-full <action>',
        'when the audit is not taken as fast as it is written: serve nobody until it is, or drop lines (default: wait)',
      ).choices(['wait', 'drop']),
    );
  for (const { flag, kind, help } of BROKER_LIMITS) {
    const parse = { count: count(flag, 1), size: size(flag), duration: duration(flag) }[kind];
    command.addOption(new Option(`${flag} <${kind}>`, help).argParser(parse).helpGroup('Limits:'));
  }
  command.addHelpText(
    'after',
    '\nSizes: 1048576, 512KiB, 64MiB, 2GiB (64M is 64MiB, 64MB is decimal). Times: 500ms, 10s, 5m.',
  );
  runs(command, terminal, async () => (await import('./commands/broker.js')).runBroker);
}

function addPut(program: Command, terminal: Terminal): void {
  const command = program
    .command('put')
    .description('Publish a file or standard input as an immutable object. Prints its id.')
    .argument('[file]', 'the file, or - for standard input, which may be empty (default: -, which may not)')
    .option(
      '--name <name>',
      "name of the object (default: the file's base name; the digest with --content-addressed; none for standard input)",
      objectName('--name'),
    )
    .option(
      '--no-name',
      'publish without a name (a content-addressed object is named by its digest all the same)',
    )
    .option('--content-addressed', 'let the broker compute the digest at once and keep equal contents once')
    .option(
      '--digest <digest>',
      'refuse the content unless it has this digest (sha256:...)',
      digest('--digest'),
    )
    .addOption(jobOption('job that owns the object'))
    .option(
      '--allow-job <job>',
      'job that may get it too, but not drop it (may be repeated)',
      collect(job('--allow-job')),
    )
    .option('--ttl <time>', 'drop it after this time: 500ms, 10s, 5m, 2h, 7d', duration('--ttl'))
    .option('--meta <key=value>', 'attach a small fact (may be repeated)', metadata('--meta'));
  runs(command, terminal, async () => (await import('./commands/put.js')).runPut);
}

function addGet(program: Command, terminal: Terminal): void {
  const command = program
    .command('get')
    .description('Write the bytes of an object to standard output or to a file.')
    .argument('<target>', TARGET_HELP)
    .argument('[output]', 'the same as -o')
    .option(
      '-o, --output <file>',
      'write to this file, which appears complete or not at all; - is standard output',
    )
    .option('--wait', 'wait until there is an object of this name')
    .option('--timeout <time>', 'give up waiting after this time', duration('--timeout'));
  addTargetOptions(command).addOption(jobOption('job on whose behalf to look'));
  runs(command, terminal, async () => (await import('./commands/get.js')).runGet);
}

function addExec(program: Command, terminal: Terminal): void {
  const command = program
    .command('exec')
    .description(
      'Become another program, which inherits a descriptor of an object: $SEALANE_FD is its number.',
    )
    .usage('[options] <target> -- <command> [arguments...]')
    .argument('<target>', TARGET_HELP)
    .argument('[command...]', 'the program, looked up in $PATH, and its arguments');
  addTargetOptions(command)
    .addOption(jobOption('job on whose behalf to look'))
    .addHelpText(
      'after',
      '\nThe program finds $SEALANE_FD, $SEALANE_OBJECT_ID, $SEALANE_SIZE, $SEALANE_DIGEST and $SEALANE_NAME, and the same as\n' +
        '$MEMFDBUS_...; the descriptor is read-only, at its beginning, and nobody else moves its offset.',
    );
  runs(command, terminal, async () => (await import('./commands/exec.js')).runExec);
}

function addTargetOptions(command: Command): Command {
  return command
    .option('--id', 'the target is an id')
    .option('--name', 'the target is a name, even if it looks like an id or a digest')
    .option('--digest', 'the target is a digest, with or without sha256:');
}

function addLookups(program: Command, terminal: Terminal): void {
  const list = program
    .command('list')
    .description('List the objects that this job may see, oldest first.')
    .argument('[pattern]', 'only names that match: * stands for any characters, \\* for an asterisk')
    .option('--digests', 'have the broker compute digests that it does not know yet (default in a pipe)')
    .option(
      '--no-digests',
      'leave out digests that it does not know yet (default on a terminal and with --json)',
    )
    .addOption(jobOption('job on whose behalf to look'));
  runs(list, terminal, async () => (await import('./commands/list.js')).runList);
  const stat = program
    .command('stat')
    .description('Show what is known about an object.')
    .argument('<target>', TARGET_HELP)
    .option('--digest', 'have the broker compute the digest if it does not know it yet')
    .option('--id', 'the target is an id')
    .option('--name', 'the target is a name, even if it looks like an id or a digest')
    .addOption(jobOption('job on whose behalf to look'));
  runs(stat, terminal, async () => (await import('./commands/stat.js')).runStat);
  const drop = program
    .command('drop')
    .description('Drop an object: it is found no more; who holds it keeps it. Prints the dropped id.')
    .argument('<target>', `${TARGET_HELP}; a name drops its newest object`);
  addTargetOptions(drop).addOption(jobOption('job on whose behalf to drop'));
  runs(drop, terminal, async () => (await import('./commands/drop.js')).runDrop);
}

function addWatch(program: Command, terminal: Terminal): void {
  const command = program
    .command('watch')
    .description(
      'Print a line for the newest object of each name that matches, and for each that comes, until interrupted.',
    )
    .argument('<pattern>', 'a name; * stands for any characters, \\* for an asterisk')
    .option('--every', 'print each version; without it a slow reader skips to the newest')
    .option('--no-existing', 'leave out what is there already')
    .option('--literal', 'take the pattern as a name, asterisks and all')
    .option('--count <number>', 'end after this many lines', count('--count', 1))
    .addOption(jobOption('job on whose behalf to watch'));
  runs(command, terminal, async () => (await import('./commands/watch.js')).runWatch);
}

function addPolicy(program: Command, terminal: Terminal): void {
  const policy = program
    .command('policy')
    .description('Check the policies that brokers obey.')
    .helpCommand(false);
  const check = policy
    .command('check')
    .description('Say whether a policy file is right, and what it lets somebody do, because of which entry.')
    .argument('<file>', 'the policy (TOML), as for `sealane broker --policy`')
    .option(
      '--as <caller>',
      'explain it for USER[:GROUP,...]: names or ids; without groups, those of the user',
      text('--as'),
    )
    .option('--job <job>', 'the job that the caller acts for', text('--job'))
    .option('--cgroup <path>', 'the control group that the caller is in', text('--cgroup'))
    .option('--name <name>', 'only what it may do with objects of this name', text('--name'))
    .option('--no-name', 'only what it may do with objects without a name');
  runs(check, terminal, async () => (await import('./commands/policy.js')).runPolicyCheck);
}

function addTools(program: Command, terminal: Terminal): void {
  const demo = program
    .command('demo')
    .description(
      'Deliver real files to several processes, verify every byte, and compare with sockets and messages.',
    )
    .argument('[files...]', 'files to deliver (default: the Node.js executable)')
    .addOption(
      new Option('--consumers <number>', 'receiving processes').default(3).argParser(count('--consumers', 1)),
    )
    .option('--quick', 'one round instead of three')
    .option('--svg <file>', 'write the bar plot as SVG too', text('--svg'));
  runs(demo, terminal, async () => (await import('./commands/demo.js')).runDemo);
  const doctor = program
    .command('doctor')
    .description('Show what this machine supports, what follows from it, and what to do about it.');
  runs(doctor, terminal, async () => (await import('./commands/doctor.js')).runDoctor);
}

function addShellTools(program: Command, terminal: Terminal): void {
  const completion = program
    .command('completion')
    .description('Print a script that completes commands, options and names of objects in a shell.')
    .addArgument(new Argument('<shell>', 'the shell that reads it').choices(SHELLS))
    .addHelpText(
      'after',
      '\nbash, in ~/.bashrc:              eval "$(sealane completion bash)"\n' +
        'zsh, in ~/.zshrc after compinit: eval "$(sealane completion zsh)"\n' +
        'fish:                            sealane completion fish > ~/.config/fish/completions/sealane.fish',
    );
  runs(completion, terminal, async () => (await import('./commands/completion.js')).runCompletion);
  const objects = program
    .command('__objects', { hidden: true })
    .addOption(jobOption('job on whose behalf to look'));
  runs(objects, terminal, async () => (await import('./commands/objects.js')).runObjects);
}
