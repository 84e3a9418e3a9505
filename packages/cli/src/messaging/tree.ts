/**
 * The commands of nodes and services as part of the tree. Owns no behaviour: each action loads its module and calls it. Nothing here
 * may load the library.
 */
import { type Command, Option } from 'commander';
import { runs } from '../action.js';
import {
  attributes,
  collect,
  count,
  duration,
  metadata,
  positive,
  serviceName,
  size,
  text,
} from '../arguments.js';
import type { Terminal } from '../terminal/terminal.js';

const CREATION = 'Settings, if the service is to be made; else what it must have:';

/** Adds `sealane node ...` and `sealane service ...`, and what completes their arguments. */
export function addMessaging(program: Command, terminal: Terminal): void {
  addDomain(program, terminal);
  addNode(program, terminal);
  const service = program
    .command('service')
    .description('Publish, receive and measure samples of services, which nodes share without a broker.')
    .helpCommand(false);
  addLookups(service, terminal);
  addPublish(service, terminal);
  addSubscribe(service, terminal);
  addMeasures(service, terminal);
  addTop(program, terminal);
  addCompletions(program, terminal);
}

function addDomain(program: Command, terminal: Terminal): void {
  const domain = program
    .command('domain')
    .description('Make domains in which nodes of several users find each other.')
    .helpCommand(false);
  const create = domain
    .command('create')
    .description('Make a directory a shared domain. One that is one already stays as it is.')
    .argument('<directory>', 'made if it is missing; its parent must exist')
    .option(
      '--group <group>',
      'for members of this group only, by name or id (default: for everybody on this machine)',
      text('--group'),
    );
  runs(create, terminal, async () => (await import('../commands/domain.js')).runDomainCreate);
}

function addNode(program: Command, terminal: Terminal): void {
  const node = program
    .command('node')
    .description('Show the nodes that take part in a domain.')
    .helpCommand(false);
  const list = node.command('list').description('List the nodes of a domain.');
  runs(inDomain(list), terminal, async () => (await import('../commands/node.js')).runNodeList);
  const inspect = node
    .command('inspect')
    .description('Show what is known about a node, and its ports in all services.')
    .argument('<node>', 'its id, the beginning of its id, or its name');
  runs(inDomain(inspect), terminal, async () => (await import('../commands/node.js')).runNodeInspect);
}

function addLookups(service: Command, terminal: Terminal): void {
  const list = service.command('list').description('List the services of a domain.');
  runs(inDomain(list), terminal, async () => (await import('../commands/service.js')).runServiceList);
  const inspect = named(service.command('inspect')).description(
    'Show the settings, attributes, nodes and ports of a service.',
  );
  inspect.option(
    '--allow-user <user>',
    'in a shared domain, mean the service of this user, by name or id (may be repeated)',
    collect(text('--allow-user')),
  );
  runs(inDomain(inspect), terminal, async () => (await import('../commands/service.js')).runServiceInspect);
}

function addPublish(service: Command, terminal: Terminal): void {
  const command = named(service.command('publish'))
    .description(
      'Publish standard input, or a file, as samples of a service. Makes the service if it does not exist.',
    )
    .option('--file <file>', 'publish this file, not standard input; - is standard input', text('--file'))
    .addOption(new Option('--lines', 'publish each line as a sample, without its end').conflicts('size'))
    .option(
      '--size <size>',
      'publish each so many bytes as a sample; the last may be shorter',
      size('--size'),
    )
    .option(
      '--count <number>',
      'end after this many samples; without --lines and --size, publish the same so often',
      count('--count', 1),
    )
    .option('--rate <hertz>', 'publish at most so many samples a second', positive('--rate'))
    .option(
      '--wait-subscribers <number>',
      'publish nothing before so many subscribers are connected',
      count('--wait-subscribers', 1),
    )
    .option('--timeout <time>', 'give up waiting for subscribers after this time', duration('--timeout'))
    .option('--stay', 'keep the history for late subscribers until interrupted')
    .addOption(
      new Option(
        '--when-full <action>',
        'without overflow: wait for a full subscriber, drop its sample, or fail (default: wait)',
      ).choices(['wait', 'drop', 'fail']),
    );
  addCreation(command);
  runs(inDomain(command), terminal, async () => (await import('../commands/publish.js')).runPublish);
}

function addCreation(command: Command): void {
  const add = (option: Option) => command.addOption(option.helpGroup(CREATION));
  const number = (flag: string, min: number, help: string) =>
    add(new Option(`${flag} <number>`, help).argParser(count(flag, min)));
  add(
    new Option(
      '--max-bytes <size>',
      'most bytes of a sample (default: what is published, or 64 KiB)',
    ).argParser(size('--max-bytes')),
  );
  add(
    new Option(
      '--payload <kind>',
      'fixed: all samples have --max-bytes; bounded: at most (the default); growing: at most, and memory grows with what is sent',
    ).choices(['fixed', 'bounded', 'growing']),
  );
  add(
    new Option('--alignment <size>', 'what the address of a payload is a multiple of (64)').argParser(
      size('--alignment'),
    ),
  );
  number('--max-publishers', 1, 'most publishers at a time (8)');
  number('--max-subscribers', 1, 'most subscribers at a time (8)');
  number('--max-nodes', 1, 'most nodes at a time (128)');
  number('--buffer-size', 1, 'samples that may wait in a subscriber (4)');
  number('--history', 0, 'latest samples that are kept for late subscribers (0)');
  number('--max-borrowed', 1, 'samples that a subscriber may hold at a time (4)');
  number('--max-loaned', 1, 'samples that a publisher may fill at a time (2)');
  add(new Option('--overflow', 'the oldest sample gives way in a full subscriber (the default)'));
  add(new Option('--no-overflow', 'no sample gives way: --when-full decides'));
  add(
    new Option(
      '--latest',
      'newest sample only, kept for late subscribers: --buffer-size 1 --history 1',
    ).conflicts(['bufferSize', 'history']),
  );
  add(
    new Option('--attribute <key=value>', 'a fact about the service (may be repeated)').argParser(
      metadata('--attribute'),
    ),
  );
  addAllow(command, 'in a shared domain, let in this ', ', and not everybody', CREATION);
}

/** Who may take part, or is meant, in a domain of several users. */
export function addAllow(command: Command, before: string, after: string, group?: string): Command {
  for (const kind of ['user', 'group']) {
    const help = `${before}${kind}, by name or id${after} (may be repeated)`;
    const option = new Option(`--allow-${kind} <${kind}>`, help).argParser(collect(text(`--allow-${kind}`)));
    command.addOption(group === undefined ? option : option.helpGroup(group));
  }
  return command;
}

/** For commands that open what others made. */
export function addWhose(command: Command): Command {
  return addAllow(command, 'in a shared domain, mean only services and peers of this ', '');
}

function addSubscribe(service: Command, terminal: Terminal): void {
  const command = named(service.command('subscribe'))
    .description('Print the samples of a service as they come, until interrupted.')
    .addOption(new Option('--raw', 'write the payloads, and nothing else').conflicts('lines'))
    .option('--lines', 'write each payload, and a line end after it')
    .option('--no-payload', 'leave the payloads out of what is printed')
    .option('--count <number>', 'end after this many samples', count('--count', 1))
    .option('--until-gone', 'end when all publishers that were there are gone')
    .option('--timeout <time>', 'give up when no sample comes for this time', duration('--timeout'));
  addSubscription(command);
  runs(inDomain(command), terminal, async () => (await import('../commands/subscribe.js')).runSubscribe);
}

function addMeasures(service: Command, terminal: Terminal): void {
  const hz = named(service.command('hz')).description(
    'Measure how many samples a second a service carries, and the times between them.',
  );
  runs(inDomain(measure(hz)), terminal, async () => (await import('../commands/measure.js')).runHz);
  const bw = named(service.command('bw')).description('Measure how many bytes a second a service carries.');
  runs(inDomain(measure(bw)), terminal, async () => (await import('../commands/measure.js')).runBw);
}

function addTop(program: Command, terminal: Terminal): void {
  const command = program
    .command('top')
    .description(
      'Show what all nodes and services of a domain do, again and again: q ends it, s sorts by the next column.',
    )
    .argument('[service]', 'only services whose names match; * stands for any characters')
    .option('--count <number>', 'end after this many looks', count('--count', 1))
    .option('--interval <time>', 'time between two looks (default: 1s)', duration('--interval'))
    .addOption(
      new Option('--sort <column>', 'what comes first (default: rate)').choices([
        'rate',
        'latency',
        'fill',
        'lost',
        'borrowed',
        'name',
      ]),
    );
  runs(inDomain(command), terminal, async () => (await import('../commands/top.js')).runTop);
}

function measure(command: Command): Command {
  return addSubscription(
    command
      .option('--count <number>', 'end after this many measurements', count('--count', 1))
      .option('--interval <time>', 'time of one measurement (default: 1s)', duration('--interval')),
  );
}

function addSubscription(command: Command): Command {
  return addWhose(command)
    .option('--wait', 'wait until there is such a service')
    .option(
      '--buffer-size <number>',
      "samples that may wait (default: the service's)",
      count('--buffer-size', 1),
    )
    .option(
      '--history <number>',
      "earlier samples to begin with (default: the service's)",
      count('--history', 0),
    )
    .option(
      '--attribute <key[=value]>',
      'require the service to have this attribute (may be repeated)',
      attributes('--attribute'),
    );
}

/** The service that a command is about. */
export function named(command: Command): Command {
  return command.argument('<service>', 'the name of the service', (value) => serviceName(value));
}

/** Where a command looks for nodes and services. */
export function inDomain(command: Command): Command {
  return command
    .option('--domain <domain>', 'the domain (default: default)', text('--domain'))
    .option(
      '--directory <path>',
      'where domains lie (default: $SEALANE_DIR, else the runtime directory)',
      text('--directory'),
    )
    .addOption(
      new Option('--shared <directory>', 'a domain shared among users (default: $SEALANE_SHARED_DIR)')
        .argParser(text('--shared'))
        .conflicts(['domain', 'directory']),
    );
}

/** What the scripts of shells ask for names. */
function addCompletions(program: Command, terminal: Terminal): void {
  const services = program.command('__services', { hidden: true });
  runs(inDomain(services), terminal, async () => (await import('../commands/names.js')).runServiceNames);
  const nodes = program.command('__nodes', { hidden: true });
  runs(inDomain(nodes), terminal, async () => (await import('../commands/names.js')).runNodeNames);
}
