/** `sealane event ...` as part of the tree. Owns no behaviour: each action loads its module and calls it. Nothing here may load the library. */
import { type Command, Option } from 'commander';
import { runs } from '../action.js';
import { attributes, count, duration, metadata, positive } from '../arguments.js';
import type { Terminal } from '../terminal/terminal.js';
import { addAllow, addWhose, inDomain, named } from './tree.js';

const CREATION = 'Settings, if the service is to be made; else what it must have:';

/** Adds `sealane event notify` and `listen`. */
export function addEvents(program: Command, terminal: Terminal): void {
  const event = program
    .command('event')
    .description('Notify and listen: events of services, which are counted and never lost.')
    .helpCommand(false);
  addNotify(event, terminal);
  addListen(event, terminal);
}

function addNotify(event: Command, terminal: Terminal): void {
  const command = named(event.command('notify'))
    .description('Tell all listeners of a service of an event. Makes the service if it does not exist.')
    .argument('[id]', 'which event (default: 0)', count('id', 0))
    .option(
      '--count <number>',
      'notify so often (default: once; with --rate, without end)',
      count('--count', 1),
    )
    .option('--rate <hertz>', 'notify at most so often a second', positive('--rate'))
    .option('--one', 'tell one listener each time: one that waits, else the next in turn')
    .option(
      '--wait-listeners <number>',
      'notify nobody before so many listeners are connected',
      count('--wait-listeners', 1),
    )
    .option('--timeout <time>', 'give up waiting for listeners after this time', duration('--timeout'));
  addCreation(command);
  runs(inDomain(command), terminal, async () => (await import('../commands/notify.js')).runNotify);
}

function addCreation(command: Command): void {
  const add = (option: Option) => command.addOption(option.helpGroup(CREATION));
  const number = (flag: string, min: number, help: string) =>
    add(new Option(`${flag} <number>`, help).argParser(count(flag, min)));
  number('--event-ids', 1, 'how many ids there are, from 0 (1024)');
  number('--max-notifiers', 1, 'most notifiers at a time (16)');
  number('--max-listeners', 1, 'most listeners at a time (16)');
  number('--max-nodes', 1, 'most nodes at a time (128)');
  add(
    new Option('--deadline <time>', 'tell listeners when nothing comes for this time (never)').argParser(
      duration('--deadline'),
    ),
  );
  for (const [what, when] of Object.entries({ created: 'comes', dropped: 'closes', dead: 'dies' }))
    add(
      new Option(`--notifier-${what} <id>`, `the event that tells that a notifier ${when} (none)`).argParser(
        count(`--notifier-${what}`, 0),
      ),
    );
  add(
    new Option('--attribute <key=value>', 'a fact about the service (may be repeated)').argParser(
      metadata('--attribute'),
    ),
  );
  addAllow(command, 'in a shared domain, let in this ', ', and not everybody', CREATION);
}

function addListen(event: Command, terminal: Terminal): void {
  const command = named(event.command('listen'))
    .description('Print the events of a service as they come, each with how often, until interrupted.')
    .option('--count <number>', 'end when so many notifications have come', count('--count', 1))
    .option('--until-gone', 'end when all notifiers that were there are gone')
    .option('--timeout <time>', 'give up when nothing comes for this time', duration('--timeout'))
    .option('--wait', 'wait until there is such a service')
    .option(
      '--attribute <key[=value]>',
      'require the service to have this attribute (may be repeated)',
      attributes('--attribute'),
    );
  addWhose(command);
  runs(inDomain(command), terminal, async () => (await import('../commands/listen.js')).runListen);
}
