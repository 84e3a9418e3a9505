/** sealane-policy(5): the file that `sealane broker --policy` obeys. Its example is one that the command takes. */
import { bold, type Section } from './roff.js';

/** A whole policy. */
export const POLICY_EXAMPLE: readonly string[] = [
  '# Who may connect, beside the user of the broker.',
  '[[admit]]',
  'groups = ["video"]',
  '',
  '# Who may act under which job.',
  '[[job]]',
  'ids = ["camera"]',
  'cgroups = ["/system.slice/camera.service"]',
  '',
  '# What may be done with objects of which names.',
  '[[grant]]',
  'jobs = ["camera"]',
  'names = ["camera/*"]',
  'may = ["put", "drop"]',
  '',
  '[[grant]]',
  'groups = ["video"]',
  'names = ["camera/*"]',
  'may = ["get", "list"]',
  '',
  '# Limits for each.',
  '[[quota]]',
  'jobs = ["camera"]',
  'objects = 1000',
  'bytes = "4GiB"',
];

export const POLICY_FILE: readonly Section[] = [
  { title: 'NAME', blocks: [{ paragraph: 'sealane-policy - who may do what with the objects of a broker' }] },
  {
    title: 'DESCRIPTION',
    blocks: [
      {
        paragraph:
          'A policy is a file in TOML that a broker reads when it starts (`sealane broker --policy FILE`) and again on SIGHUP. It must ' +
          'belong to root or to the user of the broker, and nobody else may be able to write it. What it does not say is refused; a ' +
          'file with an error is not taken at all, and the policy that was there before stays in force.',
      },
      {
        paragraph:
          'With a policy all users share their objects as far as it says. Nobody acts under a job that is not bound to them, and who ' +
          'acts under none has nothing of any job unless it is granted.',
      },
      { paragraph: '`sealane policy check` finds mistakes, and explains what a caller may do.' },
    ],
  },
  {
    title: 'TABLES',
    blocks: [
      {
        list: [
          [bold('[[admit]]'), 'Who may connect. The user of the broker always may.'],
          [bold('[[job]]'), 'Who may act under the jobs whose ids match one of the patterns in `ids`.'],
          [
            bold('[[grant]]'),
            'Who may do what is in `may` (`put`, `get`, `list`, `drop`) with objects whose name matches one of the patterns in ' +
              '`names`; with `jobs`, only under a job that matches one of those. `*` alone also means objects without a name. To put ' +
              'an object one needs a grant for its name.',
          ],
          [
            bold('[[quota]]'),
            'Limits for each of `users`, for each user in `groups`, or for each job that matches one of `jobs` (over all users): ' +
              '`objects`, `bytes`, and `records`, the memory for names and metadata. The first that fits counts.',
          ],
        ],
      },
    ],
    parts: [
      {
        title: 'Who is meant',
        blocks: [
          {
            list: [
              [bold('everyone'), '`true`, alone: all users; under the other tables all who are admitted.'],
              [bold('users, groups'), 'Names in quotes, or ids without. All groups of a process count.'],
              [
                bold('cgroups'),
                'Patterns of paths in the unified hierarchy of control groups. They need Linux 6.5; before that nobody fits.',
              ],
            ],
          },
          { paragraph: 'Of the kinds that an entry names all must fit, of each list one.' },
        ],
      },
      {
        title: 'Patterns',
        blocks: [
          {
            paragraph:
              'In a pattern `*` stands for any run of characters, none and slashes included. A backslash takes the meaning of the ' +
              'asterisk or backslash behind it away; between double quotes TOML wants it twice.',
          },
        ],
      },
    ],
  },
  { title: 'EXAMPLE', blocks: [{ lines: POLICY_EXAMPLE }] },
  {
    title: 'SEE ALSO',
    blocks: [{ paragraph: '`sealane-broker`(1), `sealane-policy-check`(1), `cgroups`(7)' }],
  },
];
