/**
 * What manual pages say beyond the help: explanations and examples, by command. A command that is not here has a page all the same.
 */
import type { CommandTexts } from './command-texts.js';
import { MESSAGING_TEXTS } from './messaging-texts.js';
import { type Block, bold, italic, type Section } from './roff.js';

/** When these texts were last gone through; the date on every page. */
export const REVISED = '2026-11-21';

const TARGETS: Block = {
  paragraph:
    'A target is an id (digits), a name, or `sha256:` and 64 hexadecimal digits; `--id`, `--name` and `--digest` say which it is. ' +
    'A name means its newest object that the job may see.',
};

export const TEXTS: Readonly<Record<string, CommandTexts>> = {
  broker: {
    description: [
      {
        paragraph:
          'A broker keeps the descriptors of objects and hands them out; the bytes never pass through it. It takes a lock beside its ' +
          'socket, so that a path has one broker, and removes the socket when it ends. What clients hold stays theirs.',
      },
      {
        paragraph:
          'Limits fail closed: what would exceed one is refused, nothing is evicted. Sizes are written `1048576`, `512KiB`, `64MiB`, ' +
          '`2GB`, times `500ms`, `10s`, `5m`.',
      },
    ],
    sections: [
      {
        title: 'AS A SERVICE',
        blocks: [
          {
            paragraph:
              'The broker takes listening sockets that a service manager passes it (sd_listen_fds(3)), bound to paths: one of type ' +
              'SOCK_SEQPACKET, and one of type SOCK_STREAM for memfdbus clients. It leaves their files alone, takes no lock, and ' +
              'clients that connect while no broker runs wait for the next one. To give `--socket` or `--memfdbus-socket` beside ' +
              'a socket of that type is an error.',
          },
          {
            paragraph:
              'Clients see the user who opened the socket, not the one that the broker runs as. They trust root and their own user, ' +
              'so units of the system and of the user need nothing more.',
          },
          {
            paragraph:
              'Where `$NOTIFY_SOCKET` says so, it reports (sd_notify(3)) when it serves, how many objects, bytes and connections it ' +
              'has, that it reloads, and that it stops. With a watchdog it gives a sign of life twice in the time that the service ' +
              'manager waits, each after it has answered a request of its own: an event loop that hangs gives none.',
          },
          { paragraph: 'The units in `systemd/` of the package are written for this.' },
        ],
      },
      {
        title: 'SIGNALS',
        blocks: [
          {
            list: [
              [
                bold('SIGTERM, SIGINT'),
                'Stops: clients are told, the socket is removed. A second one ends the process at once.',
              ],
              [
                bold('SIGHUP'),
                'Reads the policy anew and opens the file of the audit anew; a policy that is wrong, or a file that fails to open, ' +
                  'changes nothing. When the signal says that the terminal is gone, the broker stops as by SIGTERM.',
              ],
            ],
          },
        ],
      },
    ],
    examples: ['sealane broker &', 'sealane broker --socket /run/camera/bus.sock --max-bytes 4GiB'],
    seeAlso: ['sealane-policy(5)', 'systemd.socket(5)', 'systemd.service(5)'],
  },
  put: {
    description: [
      {
        paragraph:
          'The content is copied once, into sealed memory. When the id is printed, others can get the object, and the file may change ' +
          'again. Several objects may share a name: the newest is found.',
      },
    ],
    examples: [
      'sealane put model.bin --meta dtype=f32',
      'camera | sealane put - --name snapshot --ttl 10s',
      'sealane put weights.bin --job-id trainer --allow-job evaluator',
    ],
    seeAlso: ['sealane-get(1)', 'sealane-drop(1)'],
  },
  get: {
    description: [
      TARGETS,
      {
        paragraph:
          'With `-o` the file appears complete or not at all, and one that is there keeps its mode. With `--json` the description of ' +
          'the object goes to standard error when the bytes go to standard output.',
      },
    ],
    examples: ['sealane get snapshot -o snapshot.raw', 'sealane get result --wait --timeout 5s -o -'],
    seeAlso: ['sealane-put(1)', 'sealane-stat(1)', 'sealane-watch(1)'],
  },
  exec: {
    description: [
      TARGETS,
      {
        paragraph:
          'The program replaces `sealane` in its process, which is otherwise as it was: signals, limits, descriptors. The object is ' +
          'open for reading, at its beginning, and nobody else moves its offset. Without `--` there is no program.',
      },
    ],
    sections: [
      {
        title: 'ENVIRONMENT OF THE PROGRAM',
        blocks: [
          {
            list: [
              [bold('SEALANE_FD'), 'The number of the descriptor.'],
              [bold('SEALANE_OBJECT_ID'), 'The id of the object.'],
              [bold('SEALANE_SIZE'), 'Its size in bytes.'],
              [bold('SEALANE_DIGEST'), 'Its digest, `sha256:` and 64 hexadecimal digits.'],
              [bold('SEALANE_NAME'), 'Its name; not set if it has none.'],
            ],
          },
          { paragraph: 'The same stand in `MEMFDBUS_FD` and so on.' },
        ],
      },
    ],
    exitStatus:
      'That of the program once it runs. Before, it is 126 when the program is found and not executable, 127 when there is none of that ' +
      'name, and else a code of sealane(1).',
    examples: [
      'sealane exec model.bin -- ./serve --port 80',
      'sealane exec model.bin -- sh -c \'sha256sum <&"$SEALANE_FD"\'',
    ],
    seeAlso: ['sealane-get(1)', 'execve(2)'],
  },
  list: {
    description: [
      {
        paragraph:
          'A terminal gets a table, a pipe one line for each object, its fields separated by tabs: id, `owner=`, `allowed=`, size, ' +
          'digest, name. What is absent is `-`. Control characters in names are C escapes, which `printf %b` undoes.',
      },
    ],
    examples: ["sealane list 'camera/*'", 'sealane list --json | jq .name'],
    seeAlso: ['sealane-stat(1)', 'sealane-watch(1)'],
  },
  stat: {
    description: [
      TARGETS,
      { paragraph: 'Here `--digest` asks for the digest: a digest as a target is written `sha256:DIGEST`.' },
    ],
    examples: ['sealane stat model.bin --digest'],
    seeAlso: ['sealane-list(1)'],
  },
  drop: {
    description: [
      TARGETS,
      {
        paragraph:
          'A name drops its newest object, and the one before is found again. Whoever holds the object keeps it; the kernel frees the ' +
          'memory when the last of them lets go.',
      },
    ],
    examples: ['sealane drop model.bin', 'sealane drop 17 --id'],
    seeAlso: ['sealane-put(1)'],
  },
  watch: {
    description: [
      {
        paragraph:
          'Begins with what is there and goes on with what comes. The lines are those of sealane-list(1). Without `--every` a slow ' +
          'reader skips versions that were superseded meanwhile; with it, one that falls too far behind ends with an error.',
      },
    ],
    examples: ["sealane watch 'camera/*' --count 10", 'sealane watch result --no-existing --every --json'],
    seeAlso: ['sealane-list(1)', 'sealane-get(1)'],
  },
  policy: {
    description: [{ paragraph: 'sealane-policy(5) says what stands in such a file.' }],
    seeAlso: ['sealane-policy(5)', 'sealane-broker(1)'],
  },
  'policy check': {
    description: [
      {
        paragraph:
          'Each problem is a line, with its place in the file. With `--as` it says what that caller may do, under the job and with the ' +
          'names that are given, and which entry says so. The exit code is 7 when a broker would not take the file, and 4 when the ' +
          'caller would not be admitted.',
      },
    ],
    examples: [
      'sealane policy check /etc/sealane/policy.toml',
      'sealane policy check policy.toml --as camera --job recorder --name camera/front',
    ],
    seeAlso: ['sealane-policy(5)', 'sealane-broker(1)'],
  },
  ...MESSAGING_TEXTS,
  demo: {
    description: [
      {
        paragraph:
          'Starts a broker and receivers of its own, delivers each file through the bus, through a Unix socket and through messages of ' +
          'Node.js, has every receiver verify the digest, and shows times and memory.',
      },
    ],
    examples: ['sealane demo', 'sealane demo film.mkv --consumers 8 --svg film.svg'],
    seeAlso: ['sealane-doctor(1)'],
  },
  doctor: {
    description: [
      {
        paragraph:
          'Each line says whether something is as it should be (ok), works with less (limited) or is not there (missing), what follows, ' +
          'and what to do. Nothing is changed.',
      },
    ],
    examples: ['sealane doctor', 'sealane doctor --json | jq \'.findings[] | select(.state != "ok")\''],
    seeAlso: ['sealane-broker(1)'],
  },
  completion: {
    description: [
      {
        paragraph:
          'Targets are completed with the names that the broker lists for the job on the line, if it answers within a second. Names ' +
          'that a shell or the command line would take for something else are left out.',
      },
    ],
    examples: [
      'sealane completion bash > ~/.local/share/bash-completion/completions/sealane',
      'sealane completion zsh > ~/.zfunc/_sealane      # a directory in $fpath',
      'sealane completion fish > ~/.config/fish/completions/sealane.fish',
    ],
  },
};

export const ENVIRONMENT: Section = {
  title: 'ENVIRONMENT',
  blocks: [
    {
      list: [
        [bold('SEALANE_SOCKET'), 'Path of the broker\u2019s socket, where `--socket` is not given.'],
        [bold('SEALANE_DIR'), 'The runtime directory, instead of the places under FILES.'],
        [
          bold('SEALANE_SHARED_DIR'),
          'The domain of nodes and services, shared among users, where none of `--shared`, `--domain` and `--directory` is given.',
        ],
        [
          bold('SEALANE_JOB_ID'),
          'The job on whose behalf to act, where `--job-id` is not given; else `MEMFDBUS_JOB_ID`.',
        ],
        [
          bold('SEALANE_TRUST_USER'),
          'Users whose brokers are trusted too, separated by commas, where `--trust-user` is not given.',
        ],
        [bold('NO_COLOR'), 'Switches colour off, as `--no-color` does; `FORCE_COLOR` switches it on.'],
        [
          bold('NODE_DEBUG'),
          'With `sealane` in it, errors are printed with their stack, and connections and losses are told of in lines.',
        ],
      ],
    },
  ],
};

export const FILES: Section = {
  title: 'FILES',
  blocks: [
    {
      list: [
        [
          `${italic('DIR')}/broker.sock`,
          'The socket. The directory is `$SEALANE_DIR`, else `$XDG_RUNTIME_DIR/sealane`, else `/run/user/UID/sealane`, else ' +
            '`/tmp/sealane-UID`; it belongs to the user, with mode 0700.',
        ],
        [`${italic('DIR')}/broker.sock.lock`, 'Locked by the broker while it runs; it stays behind.'],
      ],
    },
  ],
};

/** sealane(7). */
export const OVERVIEW: readonly Section[] = [
  { title: 'NAME', blocks: [{ paragraph: 'sealane - objects that processes share without copying them' }] },
  {
    title: 'DESCRIPTION',
    blocks: [
      {
        paragraph:
          'An object is a piece of anonymous memory (memfd_create(2)) that is sealed against writing, growing and shrinking: nobody ' +
          'can change it any more, not even who made it. A broker keeps a descriptor of each object and hands it out. Every process ' +
          'that maps it reads the same pages.',
      },
    ],
  },
  {
    title: 'OBJECTS',
    blocks: [
      {
        list: [
          [bold('id'), 'A number that the broker gives, counting up from 1. It is never used again.'],
          [
            bold('name'),
            'Up to 65,536 bytes. Several objects may share one: the newest is found, and the one before when it is dropped.',
          ],
          [
            bold('digest'),
            'The SHA-256 of the content, `sha256:` and 64 hexadecimal digits. The broker computes it when it is asked for.',
          ],
          [bold('metadata'), 'Small facts, `KEY=VALUE`, up to 4 KiB in all.'],
          [bold('time to live'), 'After it the broker drops the object.'],
        ],
      },
      {
        paragraph:
          'An object lives as long as the broker or any process holds a descriptor of it. The kernel frees the memory after the last, ' +
          'however that process ended. Nothing is written to a file, ' +
          'but like other memory that of objects may be swapped out.',
      },
    ],
  },
  {
    title: 'JOBS',
    blocks: [
      {
        paragraph:
          'A job id is a label that a process acts under. An object that a job put belongs to it: other jobs see it only if it names ' +
          'them, and only the owner may drop it. A process without a job sees all of its user\u2019s objects. Jobs keep honest programs ' +
          'of one user apart; they are no protection against that user\u2019s own processes.',
      },
    ],
  },
  {
    title: 'TRUST',
    blocks: [
      {
        paragraph:
          'Who a process is says the kernel (SO_PEERCRED in unix(7)), never the process. A broker serves its own user and those whom ' +
          'it was told to admit, each of whom sees only what is theirs, unless a policy (sealane-policy(5)) says more. A client talks ' +
          'to a broker of its own user, of root, or of a user that `--trust-user` names.',
      },
    ],
  },
];
