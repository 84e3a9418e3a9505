/** What manual pages say of nodes and services beyond the help: explanations and examples, by command. */
import type { CommandTexts } from './command-texts.js';
import type { Block } from './roff.js';

const OBSERVER: Block = {
  paragraph:
    'It subscribes as every other subscriber does, and counts as one (`--max-subscribers`). Samples are looked at in the publisher\u2019s ' +
    'memory, not copied. Without overflow a publisher may have to wait for it.',
};

const OPENING: Block = {
  paragraph:
    'The service must exist, or `--wait` is given. It exists as long as a living node has it open, which this command then does too.',
};

export const MESSAGING_TEXTS: Readonly<Record<string, CommandTexts>> = {
  domain: {
    description: [
      {
        paragraph:
          'A domain is a directory in which nodes find each other. Usually it is its user\u2019s alone, and made by the first node. One that is ' +
          'shared among users is made by an administrator, and named by `--shared` or SEALANE_SHARED_DIR.',
      },
    ],
    seeAlso: ['sealane-node(1)', 'sealane-service(1)'],
  },
  'domain create': {
    description: [
      {
        paragraph:
          'The directory gets mode 1777, or 3770 with `--group`: everybody who may enter makes files in it, and nobody touches those of ' +
          'others. It must belong to root, or to the user of every node that takes part: one that an ordinary user makes is for this user only, and the command says so. A directory under `/run` is gone after a restart: ' +
          'make it again when the machine starts.',
      },
    ],
    examples: [
      'sealane domain create /run/sealane-shared',
      'sealane domain create /run/cameras --group cameras',
    ],
    seeAlso: ['sealane-node-list(1)', 'sealane-service-publish(1)'],
  },
  node: {
    description: [
      {
        paragraph:
          'A node is what one thread of a program takes part in a domain with. It has services open, and ports in them.',
      },
    ],
    seeAlso: ['sealane-service(1)'],
  },
  'node list': {
    description: [
      {
        paragraph:
          'A terminal gets a table, a pipe one line for each node, its fields separated by tabs: id, state, process id, start, in a shared domain ' +
          '`user=`, name. ' +
          'A node is alive, starting or dead; a dead one is listed once and its files are removed.',
      },
    ],
    examples: ['sealane node list', 'sealane node list --json | jq -r .pid'],
    seeAlso: ['sealane-node-inspect(1)', 'sealane-service-list(1)'],
  },
  'node inspect': {
    description: [{ paragraph: 'One `KEY TAB VALUE` line for each fact, service and port.' }],
    examples: ['sealane node inspect camera', 'sealane node inspect 62fc --json'],
    seeAlso: ['sealane-node-list(1)'],
  },
  event: {
    description: [
      {
        paragraph:
          'An event has a number and no content. It is counted in shared memory: a listener that is slow is told each number once, with how ' +
          'often it was notified, and nothing is lost. No broker runs.',
      },
    ],
    seeAlso: ['sealane-service(1)'],
  },
  'event notify': {
    description: [
      {
        paragraph:
          'The service is opened if it exists, and made if not: the settings are then its own, else what it must have at least. Listeners ' +
          'that are there already are waited for, a second at most; those that come later are told nothing of it. `--wait-listeners` waits ' +
          'for as many as are wanted. When nobody was told, a line on standard error says so.',
      },
    ],
    examples: [
      'sealane event notify build/done --wait-listeners 1',
      'sealane event notify build/done 7 --count 3 --wait-listeners 1',
      'sealane event notify work --one --rate 10',
    ],
    seeAlso: ['sealane-event-listen(1)'],
  },
  'event listen': {
    description: [
      OPENING,
      {
        paragraph:
          'A terminal gets a line for each event that came: its id, node and port of the notifier, and how often if more than once. In a pipe ' +
          'the fields are separated by tabs: the id, `count=`, `NODE:PORT`; or `deadline` and `elapsed_ms=` when the service has a ' +
          'deadline and nothing came within it.',
      },
    ],
    examples: [
      'sealane event listen build/done',
      'sealane event listen build/done --wait --count 1 && deploy',
      'sealane event listen build/done --json | jq .count',
    ],
    seeAlso: ['sealane-event-notify(1)'],
  },
  service: {
    description: [
      {
        paragraph:
          'Publishers loan samples from shared memory, fill them and send an index; subscribers read them where they are. Nodes find ' +
          'each other in the file system: no broker runs.',
      },
    ],
    seeAlso: ['sealane-node(1)'],
  },
  'service list': {
    description: [
      {
        paragraph:
          'A terminal gets a table, a pipe one line for each service, its fields separated by tabs: state, `nodes=`, `publishers=` or `notifiers=`, ' +
          '`subscribers=`, most bytes of a sample, in a shared domain `user=`, name. One that only dead nodes have open is listed as dead once, and removed.',
      },
    ],
    examples: ['sealane service list', 'sealane service list --json | jq .settings'],
    seeAlso: ['sealane-service-inspect(1)', 'sealane-node-list(1)'],
  },
  'service inspect': {
    description: [
      {
        paragraph:
          'One `KEY TAB VALUE` line for each setting, attribute, node and port. In a shared domain several users may have a service of ' +
          'one name: `--allow-user` says whose is meant.',
      },
    ],
    examples: ['sealane service inspect camera/front'],
    seeAlso: ['sealane-service-list(1)'],
  },
  'service publish': {
    description: [
      {
        paragraph:
          'All of the input is one sample, unless `--lines` or `--size` divide it. A file is read straight into shared memory; what ' +
          'comes through a pipe is copied there once.',
      },
      {
        paragraph:
          'The service is opened if it exists, and made if not: the settings are then its own, else what it must have at least. With ' +
          'overflow, the default, a subscriber that is too slow misses the oldest samples; with `--no-overflow` the publisher waits.',
      },
      {
        paragraph:
          'Subscribers that are there already are waited for, a second at most, and get all that is sent; those that come later get nothing. ' +
          '`--wait-subscribers` waits for as many as are wanted, and `--stay` keeps the history. When nobody got anything, a line on ' +
          'standard error says so.',
      },
    ],
    examples: [
      'sealane service publish config --latest --stay < config.json',
      'camera | sealane service publish camera/front --size 3686400 --max-subscribers 3',
      'tar -c DIR | sealane service publish copy --size 1MiB --no-overflow --wait-subscribers 1',
      'echo ping | sealane service publish beat --rate 10',
    ],
    seeAlso: ['sealane-service-subscribe(1)'],
  },
  'service subscribe': {
    description: [
      OPENING,
      {
        paragraph:
          'A terminal gets a line for each sample: sequence number, node and port of the publisher, size, time since it was sent, samples ' +
          'missed before it, and its first bytes. In a pipe the same fields are separated by tabs, the time in microseconds. `--raw` and ' +
          '`--lines` write the payloads. With `--json` a payload is base64.',
      },
      OBSERVER,
    ],
    examples: [
      'sealane service subscribe camera/front',
      'sealane service subscribe camera/front --raw --count 1 > frame.rgba',
      'sealane service subscribe copy --wait --raw --until-gone | tar -x',
      'sealane service subscribe camera/front --json --no-payload | jq .ageUs',
    ],
    seeAlso: ['sealane-service-publish(1)', 'sealane-service-hz(1)'],
  },
  'service hz': {
    description: [
      OPENING,
      {
        paragraph:
          'The rate counts the samples that were sent, missed ones too, as their sequence numbers tell. Times are those between the ' +
          'sending of two neighbouring samples of one publisher. A terminal shows each publisher, again and again in the same place; a ' +
          'pipe gets one line for each measurement, `--json` one object.',
      },
      OBSERVER,
    ],
    examples: ['sealane service hz camera/front', 'sealane service hz camera/front --json --count 10'],
    seeAlso: ['sealane-service-bw(1)'],
  },
  'service bw': {
    description: [
      OPENING,
      {
        paragraph:
          'Counts the payloads of the samples that were received. Nothing of them is read or copied: the figure is what the publishers ' +
          'hand over, not what this command could process.',
      },
      OBSERVER,
    ],
    examples: ['sealane service bw camera/front', 'sealane service bw camera/front --interval 10s --json'],
    seeAlso: ['sealane-service-hz(1)'],
  },
  top: {
    description: [
      {
        paragraph:
          'It subscribes to nothing and counts as nobody: the ports themselves tell, in memory that this command can only read. ' +
          'A terminal shows two tables in place: services with samples a second that were sent and received, the median and the 99th ' +
          'percentile of the time from send to receive, how full the fullest buffer is, samples that were lost, borrowed, and forgotten until ' +
          'the garbage collector gave them back; and nodes. `q` ends it, `s` sorts by the next column.',
      },
      {
        paragraph:
          'A pipe gets one line for each service at each look, its fields separated by tabs; `--json` one object for each look, with ' +
          'all nodes, services, ports and connections. What a node does not tell, such as one of another user, is `-`, and null in JSON. On a ' +
          'terminal with TERM=dumb the tables follow each other.',
      },
    ],
    examples: [
      'sealane top',
      "sealane top 'camera/*' --sort latency",
      'sealane top --count 1 --interval 5s',
      "sealane top --json | jq '.services[] | {name, lost}'",
    ],
    seeAlso: ['sealane-service-hz(1)', 'sealane-node-list(1)'],
  },
};
