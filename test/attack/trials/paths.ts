// Attacks on the broker's files: its socket, the lock beside it, and the folder in which they lie.
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Ground, type Trial } from '../trial.js';

const quoted = (path: string): string => JSON.stringify(path);

/** A put and a get over the socket, by the own user. */
function works(ground: Ground, socket: string): void {
  const { status, err } = ground.command(['--socket', socket, 'put', '/dev/null', '--name', 'trial']);
  expect(`a put (${err})`, status, 0);
  expect('a get', ground.command(['--socket', socket, 'get', 'trial']).status, 0);
}

/** Something that is no socket is where the socket shall be: it stays as it is. */
function occupied(name: string, occupy: (ground: Ground, path: string) => void): Trial {
  return {
    name: `the path of the socket is ${name}`,
    role: 'own',
    async run(ground) {
      const path = join(ground.folder(), 'broker.sock');
      occupy(ground, path);
      const before = lstatSync(path);
      const code = ground.refuseToServe('INVALID_ARGUMENT', path);
      expect('what was there', lstatSync(path).ino, before.ino);
      return code;
    },
  };
}

/** A symbolic link where the broker makes a file: nothing is made or changed where it leads. */
function linked(name: string, suffix: string, expected: string): Trial {
  return {
    name,
    role: 'own',
    async run(ground) {
      const folder = ground.folder();
      const target = join(folder, 'precious');
      ground.act('own', `fs.writeFileSync(${quoted(target)}, 'kept')`);
      const link = join(folder, `broker.sock${suffix}`);
      symlinkSync(target, link);
      const code = ground.refuseToServe(expected, join(folder, 'broker.sock'));
      expect('the link', readlinkSync(link), target);
      expect('where it leads', readFileSync(target, 'utf8'), 'kept');
      return code;
    },
  };
}

/** In a folder of all, another user was there first. */
function first(name: string, suffix: string, expected: string, statements: (path: string) => string): Trial {
  return {
    name,
    role: 'admitted',
    async run(ground) {
      const socket = join(ground.common(), 'broker.sock');
      const path = `${socket}${suffix}`;
      await ground.stay(
        'admitted',
        `const fs = require('node:fs'), net = require('node:net'); ${statements(path)}`,
      );
      const code = ground.refuseToServe(expected, socket);
      expect('the owner of what was there', lstatSync(path).uid, ground.users.admitted);
      return code;
    },
  };
}

const STAY = "setInterval(() => undefined, 1000); console.log('there');";

/** Another user, where the socket lies in a folder of the broker's user and in one of all. */
function tamper(name: string, statements: (path: string) => string): Trial {
  return {
    name,
    role: 'admitted',
    async run(ground) {
      const codes: string[] = [];
      for (const folder of [ground.folder(), ground.common()]) {
        const socket = join(folder, 'broker.sock');
        await ground.serve(socket);
        codes.push(ground.act('admitted', statements(socket)));
        works(ground, socket);
      }
      const harmless = codes.every((code) => code === 'EACCES' || code === 'EPERM');
      expect(`what came of it (${codes})`, harmless, true);
      return codes.join(', ');
    },
  };
}

export const PATHS: readonly Trial[] = [
  occupied('a file', (_, path) => writeFileSync(path, 'kept')),
  occupied('a directory', (_, path) => mkdirSync(path)),
  occupied('a fifo', (ground, path) =>
    expect(
      'mkfifo',
      ground.act('own', `require('node:child_process').execFileSync('mkfifo', [${quoted(path)}])`),
      'done',
    ),
  ),
  linked('the path of the socket is a symbolic link', '', 'INVALID_ARGUMENT'),
  linked('the lock is a symbolic link', '.lock', 'INVALID_ARGUMENT'),
  linked('the name under which the socket is bound first is a symbolic link', '.new', 'INVALID_ARGUMENT'),
  first(
    'another user listens at the path of the socket',
    '',
    'BROKER_RUNNING',
    (path) => `net.createServer().listen(${quoted(path)}, () => { ${STAY} });`,
  ),
  first(
    'another user left a dead socket at the path',
    '',
    'BROKER_RUNNING',
    (path) =>
      `net.createServer().listen(${quoted(path)}, function () { fs.linkSync(${quoted(path)}, ${quoted(`${path}.kept`)}); this.close(() => { fs.renameSync(${quoted(`${path}.kept`)}, ${quoted(path)}); ${STAY} }); });`,
  ),
  first(
    'another user made the lock',
    '.lock',
    'SYSTEM',
    (path) => `fs.writeFileSync(${quoted(path)}, ''); fs.chmodSync(${quoted(path)}, 0o600); ${STAY}`,
  ),
  first(
    'another user made the name under which the socket is bound first',
    '.new',
    'INVALID_ARGUMENT',
    (path) => `fs.writeFileSync(${quoted(path)}, ''); ${STAY}`,
  ),
  tamper('another user removes the socket', (path) => `fs.unlinkSync(${quoted(path)})`),
  tamper(
    'another user moves something over the socket',
    (path) =>
      `const other = '/tmp/sealane-trial-' + process.pid; fs.writeFileSync(other, ''); try { fs.renameSync(other, ${quoted(path)}); } finally { fs.unlinkSync(other); }`,
  ),
  tamper(
    'another user moves the socket away',
    (path) => `fs.renameSync(${quoted(path)}, ${quoted(`${path}.away`)})`,
  ),
  tamper('another user opens the lock', (path) => `fs.openSync(${quoted(`${path}.lock`)}, 'r')`),
  tamper(
    'another user connects to a socket that is for one user',
    (path) =>
      `return require('node:child_process').execFileSync(process.execPath, ['-e', 'require("node:net").connect(' + JSON.stringify(${quoted(path)}) + ').on("error", (error) => console.log(error.code))'], { encoding: 'utf8' }).trim()`,
  ),
  {
    name: 'a client meets the broker of another user, which admits it',
    role: 'admitted',
    async run(ground) {
      const socket = join(ground.common(), 'broker.sock');
      await ground.serve(socket, { role: 'admitted', args: ['--user', String(ground.users.own)] });
      return ground.refuse('UNTRUSTED_PEER', ['--json', '--socket', socket, 'list']);
    },
  },
  {
    name: 'a second broker starts on a living socket',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      await ground.serve(socket);
      const code = ground.refuseToServe('BROKER_RUNNING', socket);
      works(ground, socket);
      return code;
    },
  },
  {
    name: 'a second broker starts on a living socket whose lock was removed',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      await ground.serve(socket);
      expect('the removal', ground.act('own', `fs.unlinkSync(${quoted(`${socket}.lock`)})`), 'done');
      const code = ground.refuseToServe('BROKER_RUNNING', socket);
      works(ground, socket);
      return code;
    },
  },
  {
    name: 'a socket that was removed under the broker is not taken for free',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      await ground.serve(socket);
      expect('the removal', ground.act('own', `fs.unlinkSync(${quoted(socket)})`), 'done');
      return ground.refuseToServe('BROKER_RUNNING', socket);
    },
  },
  {
    name: 'a socket that was put in place of the broker’s is not removed by it',
    role: 'own',
    async run(ground) {
      const socket = join(ground.folder(), 'broker.sock');
      const broker = await ground.serve(socket);
      expect('the removal', ground.act('own', `fs.unlinkSync(${quoted(socket)})`), 'done');
      await ground.stay(
        'own',
        `require('node:net').createServer().listen(${quoted(socket)}, () => { ${STAY} });`,
      );
      const { ino } = lstatSync(socket);
      await broker.end('SIGTERM');
      expect('the other socket', lstatSync(socket).ino, ino);
      return 'it stayed';
    },
  },
  {
    name: 'the runtime directory belongs to another user',
    role: 'admitted',
    async run(ground) {
      const directory = join(ground.common(), 'runtime');
      expect(
        'its making',
        ground.act('admitted', `fs.mkdirSync(${quoted(directory)}, { mode: 0o777 })`),
        'done',
      );
      return ground.refuseToServe('UNSAFE_DIRECTORY', undefined, {
        SEALANE_DIR: directory,
        SEALANE_SOCKET: '',
      });
    },
  },
  {
    name: 'the runtime directory is a symbolic link of another user',
    role: 'admitted',
    async run(ground) {
      const folder = ground.common();
      const target = ground.folder(0o700);
      const link = join(folder, 'runtime');
      expect(
        'its making',
        ground.act('admitted', `fs.symlinkSync(${quoted(target)}, ${quoted(link)})`),
        'done',
      );
      return ground.refuseToServe('UNSAFE_DIRECTORY', undefined, { SEALANE_DIR: link, SEALANE_SOCKET: '' });
    },
  },
  {
    name: 'the runtime directory lets others write',
    role: 'own',
    async run(ground) {
      return ground.refuseToServe('UNSAFE_DIRECTORY', undefined, {
        SEALANE_DIR: ground.folder(0o777),
        SEALANE_SOCKET: '',
      });
    },
  },
];
