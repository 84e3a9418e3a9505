/** Services: created, opened and left by nodes, with limits that count the living; and whatever lies in their folders. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileLock } from '../../os/lock.js';
import { contents, freshDirectory, freshDomain, freshNode, holder, kill } from './domain.test.helper.js';
import { PUBLISH_SUBSCRIBE } from './messaging.js';
import { serviceFolderName } from './names.js';
import { NodeServices } from './service-files.js';

const NODE = '0123456789abcdef';

test('a service is what its creator defined, to all that open it, until the last one leaves', (t) => {
  const domain = freshDomain(t);
  const [creator, opener] = [freshNode(t, domain), freshNode(t, domain)];
  const created = creator.create(PUBLISH_SUBSCRIBE, 'camera/front', {
    settings: { bufferSize: 9 },
    attributes: { unit: 'mm' },
  });
  const opened = opener.open(PUBLISH_SUBSCRIBE, 'camera/front', {
    settings: { bufferSize: 9 },
    attributes: { unit: true },
  });
  assert.deepEqual(opened.settings, created.settings);
  assert.deepEqual(opened.attributes, created.attributes);
  assert.equal(opened.settings.bufferSize, 9);
  assert.deepEqual(readdirSync(created.folder).sort(), [creator.node, opener.node, 'service.json'].sort());
  assert.equal(statSync(created.folder).mode & 0o777, 0o700);
  created.close();
  assert.deepEqual(readdirSync(created.folder).sort(), [opener.node, 'service.json'].sort());
  opened.close();
  opened.close();
  assert.deepEqual(readdirSync(domain.services), []);
});

test('creating what exists and opening what does not are errors', (t) => {
  const domain = freshDomain(t);
  const [first, second] = [freshNode(t, domain), freshNode(t, domain)];
  assert.throws(() => first.open(PUBLISH_SUBSCRIBE, 'x'), {
    code: 'ERR_SEALANE_NO_SERVICE',
    message: /no service "x" in this domain/,
  });
  const service = first.openOrCreate(PUBLISH_SUBSCRIBE, 'x', { settings: { history: 3 } });
  for (const node of [first, second])
    assert.throws(() => node.create(PUBLISH_SUBSCRIBE, 'x'), {
      code: 'ERR_SEALANE_SERVICE_EXISTS',
      message: /"x" exists already/,
    });
  assert.equal(second.openOrCreate(PUBLISH_SUBSCRIBE, 'x').settings.history, 3);
  service.close();
  assert.equal(second.open(PUBLISH_SUBSCRIBE, 'x').settings.history, 3);
});

test('an opener that needs more is told which setting or attribute, and takes no part', (t) => {
  const domain = freshDomain(t);
  const [creator, opener] = [freshNode(t, domain), freshNode(t, domain)];
  creator.create(PUBLISH_SUBSCRIBE, 'x', { attributes: { unit: 'mm' } });
  const mismatch = (message: RegExp) => ({ code: 'ERR_SEALANE_SETTINGS_MISMATCH', message });
  const before = contents(domain);
  for (const node of [creator, opener]) {
    for (const open of [node.open.bind(node), node.openOrCreate.bind(node)]) {
      assert.throws(
        () => open(PUBLISH_SUBSCRIBE, 'x', { settings: { history: 1 } }),
        mismatch(/history 0, and at least 1 is required/),
      );
      assert.throws(
        () => open(PUBLISH_SUBSCRIBE, 'x', { attributes: { unit: 'cm' } }),
        mismatch(/"unit" "mm", and "cm" is required/),
      );
    }
  }
  assert.throws(
    () => opener.open(PUBLISH_SUBSCRIBE, 'x', { attributes: { lens: true } }),
    mismatch(/has no attribute "lens"/),
  );
  assert.deepEqual(contents(domain), before);
});

test('wrong arguments are refused before anything is made', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const before = contents(domain);
  for (const name of ['', 'a\nb', 'x'.repeat(257), 7 as never]) {
    for (const act of [node.create.bind(node), node.open.bind(node), node.openOrCreate.bind(node)])
      assert.throws(() => act(PUBLISH_SUBSCRIBE, name), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
  }
  for (const given of [
    { settings: { maxBytes: 0 } },
    { attributes: { k: 1 as never } },
    { settings: { no: 1 } as never },
  ]) {
    assert.throws(() => node.create(PUBLISH_SUBSCRIBE, 'x', given), { code: 'ERR_SEALANE_INVALID_ARGUMENT' });
    assert.throws(() => node.openOrCreate(PUBLISH_SUBSCRIBE, 'x', given), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
    });
  }
  assert.deepEqual(contents(domain), before);
});

test('names that would lead out of the domain are names like any other', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  for (const name of ['../../../etc/passwd', '.', '/', 'service.json', '日本', 'x'.repeat(256)]) {
    const service = node.create(PUBLISH_SUBSCRIBE, name);
    assert.equal(service.folder, join(domain.services, serviceFolderName(name)));
    assert.equal(freshNode(t, domain).open(PUBLISH_SUBSCRIBE, name).name, name);
  }
});

test('a node that opens a service twice takes part until it has closed both', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const [first, second] = [node.create(PUBLISH_SUBSCRIBE, 'x'), node.open(PUBLISH_SUBSCRIBE, 'x')];
  first.close();
  first.close();
  assert.equal(readdirSync(second.folder).includes(node.node), true);
  second.announcePort('publisher', 1).withdraw();
  second.close();
  assert.deepEqual(readdirSync(domain.services), []);
  node.create(PUBLISH_SUBSCRIBE, 'x').close();
});

test('a node that is closed leaves everything, and can open nothing more', (t) => {
  const domain = freshDomain(t);
  const [node, other] = [freshNode(t, domain), freshNode(t, domain)];
  const services = ['a', 'b', 'c'].map((name) => node.create(PUBLISH_SUBSCRIBE, name));
  services[0]?.announcePort('subscriber', 1);
  other.open(PUBLISH_SUBSCRIBE, 'b');
  node.close();
  node.close();
  services[1]?.close();
  assert.deepEqual(readdirSync(domain.services), [serviceFolderName('b')]);
  assert.deepEqual(
    readdirSync(other.open(PUBLISH_SUBSCRIBE, 'b').folder).sort(),
    [other.node, 'service.json'].sort(),
  );
  assert.throws(() => node.open(PUBLISH_SUBSCRIBE, 'b'), { code: 'ERR_SEALANE_CLOSED' });
});

test('as many nodes take part as the service allows, and the dead do not count', async (t) => {
  const domain = freshDomain(t);
  const child = await holder(t, domain, 'y');
  const [first, second, third] = [freshNode(t, domain), freshNode(t, domain), freshNode(t, domain)];
  const service = first.create(PUBLISH_SUBSCRIBE, 'x', { settings: { maxNodes: 2 } });
  second.open(PUBLISH_SUBSCRIBE, 'x');
  const limit = {
    code: 'ERR_SEALANE_LIMIT_EXCEEDED',
    message: /2 nodes have the service "x" open.*maxNodes allows 2/,
  };
  assert.throws(() => third.open(PUBLISH_SUBSCRIBE, 'x'), limit);
  first.open(PUBLISH_SUBSCRIBE, 'x');
  second.close();
  // In the name of the process that is killed next.
  const dead = contents(domain).find(
    (name) => name.startsWith(`services/${serviceFolderName('y')}/`) && /[0-9a-f]{16}$/.test(name),
  );
  writeFileSync(join(service.folder, (dead ?? '').slice(-16)), '');
  assert.throws(() => third.open(PUBLISH_SUBSCRIBE, 'x'), limit);
  await kill(child);
  third.open(PUBLISH_SUBSCRIBE, 'x');
  assert.deepEqual(readdirSync(service.folder).sort(), [first.node, third.node, 'service.json'].sort());
});

test('as many ports are announced as the service allows, by name of the setting, and the dead do not count', async (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const service = node.create(PUBLISH_SUBSCRIBE, 'x', { settings: { maxPublishers: 2, maxSubscribers: 1 } });
  const child = await holder(t, domain, 'x');
  const announced = service.announcePort('publisher', 1);
  const limit = (name: string, most: number) => ({
    code: 'ERR_SEALANE_LIMIT_EXCEEDED',
    message: new RegExp(
      `"x" has ${most} ${name === 'maxPublishers' ? 'publisher' : 'subscriber'}s, and its setting ${name} allows ${most}`,
    ),
  });
  assert.throws(() => service.announcePort('publisher', 2), limit('maxPublishers', 2));
  service.announcePort('subscriber', 2);
  assert.throws(() => service.announcePort('subscriber', 3), limit('maxSubscribers', 1));
  announced.withdraw();
  service.announcePort('publisher', 4);
  assert.throws(() => service.announcePort('publisher', 5), limit('maxPublishers', 2));
  await kill(child);
  service.announcePort('publisher', 6);
  assert.deepEqual(
    service
      .listPorts()
      .map(({ kind, port, node: owner }) => [kind, port, owner])
      .sort(),
    [
      ['publisher', 4, node.node],
      ['publisher', 6, node.node],
      ['subscriber', 2, node.node],
    ],
  );
});

test('ports of the dead make room also where their nodes take no part', (t) => {
  const domain = freshDomain(t);
  const service = freshNode(t, domain).create(PUBLISH_SUBSCRIBE, 'x', { settings: { maxPublishers: 1 } });
  const ghost = join(domain.services, serviceFolderName('x'), `${NODE}-00000001.pub`);
  writeFileSync(ghost, 'junk');
  service.announcePort('publisher', 1);
  assert.deepEqual(
    service.listPorts().map(({ port, node }) => [port, node === NODE]),
    [[1, false]],
  );
});

test('a port is there with its process and options until it is withdrawn', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const service = node.create(PUBLISH_SUBSCRIBE, 'x');
  const options = { bufferSize: 4, ownProcess: false, whenFull: 'wait' };
  const announced = service.announcePort('subscriber', 0xffff_ffff, options);
  const [port, ...more] = service.listPorts();
  assert.deepEqual(more, []);
  assert.deepEqual(
    { ...port, options: { ...port?.options } },
    {
      node: node.node,
      port: 0xffff_ffff,
      kind: 'subscriber',
      pid: process.pid,
      options,
      problem: undefined,
    },
  );
  announced.withdraw();
  announced.withdraw();
  assert.deepEqual(service.listPorts(), []);
  service.close();
  assert.throws(() => service.announcePort('publisher', 1), { code: 'ERR_SEALANE_CLOSED' });
});

test('a service that no living node has open is made anew, whatever was in its folder', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const folder = domain.serviceFolder('x');
  const make: Record<string, () => void> = {
    'an empty folder': () => mkdirSync(folder),
    'a file': () => writeFileSync(folder, 'x'),
    'a link to a folder': () => symlinkSync(freshDirectory(t), folder),
    'a link to nothing': () => symlinkSync('/nowhere', folder),
    'a dead node, deep junk': () => {
      mkdirSync(join(folder, NODE, 'a', 'b'), { recursive: true });
      writeFileSync(join(folder, NODE, 'a', 'file'), 'x'.repeat(1_048_576));
      writeFileSync(join(folder, `${NODE}-00000001.pub`), 'junk');
    },
    'half of a new one': () => mkdirSync(join(`${folder}.new`, 'x'), { recursive: true }),
    'half of an old one': () => writeFileSync(`${folder}.old`, ''),
  };
  for (const [what, junk] of Object.entries(make)) {
    junk();
    assert.throws(() => node.open(PUBLISH_SUBSCRIBE, 'x'), { code: 'ERR_SEALANE_NO_SERVICE' }, what);
    assert.deepEqual(readdirSync(domain.services), [], what);
    junk();
    const service = node.create(PUBLISH_SUBSCRIBE, 'x');
    assert.deepEqual(readdirSync(domain.services), [serviceFolderName('x')], what);
    assert.deepEqual(readdirSync(folder).sort(), [node.node, 'service.json'].sort(), what);
    service.close();
  }
});

test('junk in the file of a service that is in use is an error with its path, for each that opens it', (t) => {
  const domain = freshDomain(t);
  const [creator, opener] = [freshNode(t, domain), freshNode(t, domain)];
  const path = join(creator.create(PUBLISH_SUBSCRIBE, 'x').folder, 'service.json');
  const valid = JSON.parse(readFileSync(path, 'utf8'));
  const protocol = { code: 'ERR_SEALANE_PROTOCOL', message: new RegExp(path) };
  const wrong = [
    '',
    '{',
    '[]',
    'x'.repeat(1_048_576),
    { ...valid, name: 'y' },
    { ...valid, name: 7 },
    { ...valid, settings: [] },
  ];
  for (const content of [
    ...wrong,
    { ...valid, settings: { ...valid.settings, maxNodes: 0 } },
    { ...valid, attributes: 1 },
  ]) {
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    for (const act of [
      opener.create.bind(opener),
      opener.open.bind(opener),
      opener.openOrCreate.bind(opener),
    ])
      assert.throws(() => act(PUBLISH_SUBSCRIBE, 'x'), protocol);
  }
  writeFileSync(path, JSON.stringify({ ...valid, messaging: 'blackboard' }));
  assert.throws(() => opener.open(PUBLISH_SUBSCRIBE, 'x'), {
    code: 'ERR_SEALANE_SETTINGS_MISMATCH',
    message: /of the kind "blackboard"/,
  });
  writeFileSync(path, JSON.stringify({ ...valid, version: 2 }));
  assert.throws(() => opener.open(PUBLISH_SUBSCRIBE, 'x'), { code: 'ERR_SEALANE_VERSION_MISMATCH' });
  rmSync(path);
  assert.throws(() => opener.open(PUBLISH_SUBSCRIBE, 'x'), protocol);
  mkdirSync(path);
  assert.throws(() => opener.open(PUBLISH_SUBSCRIBE, 'x'), protocol);
  rmSync(path, { recursive: true });
  symlinkSync('/etc/passwd', path);
  assert.throws(() => opener.open(PUBLISH_SUBSCRIBE, 'x'), protocol);
  rmSync(path);
  writeFileSync(path, JSON.stringify(valid));
  opener.open(PUBLISH_SUBSCRIBE, 'x');
});

test('junk in the file of a port is told, and the port is there all the same', (t) => {
  const domain = freshDomain(t);
  const service = freshNode(t, domain).create(PUBLISH_SUBSCRIBE, 'x');
  const path = join(service.folder, `${NODE}-00000001.pub`);
  const valid = { version: 1, pid: 1, options: {} };
  const options = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`o${i}`, 1]));
  for (const content of [
    '',
    '[]',
    'x'.repeat(1_048_576),
    { ...valid, pid: 'x' },
    { ...valid, options: 1 },
    { ...valid, options },
  ]) {
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    const [port, ...more] = service.listPorts();
    assert.deepEqual([port?.node, port?.port, port?.pid, more], [NODE, 1, undefined, []]);
    assert.match(port?.problem ?? '', /is not as it must be/);
  }
  writeFileSync(path, JSON.stringify({ ...valid, options: { a: {} } }));
  assert.match(service.listPorts()[0]?.problem ?? '', /option "a"/);
});

test('files of a node that takes no part go when the service is opened', (t) => {
  const domain = freshDomain(t);
  const service = freshNode(t, domain).create(PUBLISH_SUBSCRIBE, 'x');
  writeFileSync(join(service.folder, `${NODE}-00000001.pub`), '');
  mkdirSync(join(service.folder, `${NODE}-00000001.sub.new`));
  writeFileSync(join(service.folder, 'of nobody'), '');
  freshNode(t, domain).open(PUBLISH_SUBSCRIBE, 'x').close();
  assert.deepEqual(readdirSync(service.folder).sort(), [service.node, 'of nobody', 'service.json'].sort());
});

test('a domain that was removed under its nodes is an error to open in, and can be left', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const service = node.create(PUBLISH_SUBSCRIBE, 'x');
  rmSync(domain.path, { recursive: true });
  assert.throws(() => node.open(PUBLISH_SUBSCRIBE, 'y'), { code: 'ERR_SEALANE_SYSTEM', errnoName: 'ENOENT' });
  assert.throws(() => service.announcePort('publisher', 1), { code: 'ERR_SEALANE_SYSTEM' });
  assert.deepEqual(service.listPorts(), []);
  service.close();
  node.close();
});

test('while another keeps the lock, a node leaves all the same, and the next one to look removes the service', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const service = node.create(PUBLISH_SUBSCRIBE, 'x');
  service.announcePort('publisher', 1);
  const lock = FileLock.tryAcquire(join(domain.path, 'lock'));
  service.close();
  assert.deepEqual(readdirSync(service.folder), ['service.json']);
  lock?.close();
  assert.throws(() => node.open(PUBLISH_SUBSCRIBE, 'x'), { code: 'ERR_SEALANE_NO_SERVICE' });
  assert.deepEqual(readdirSync(domain.services), []);
});

test('a node that was taken for dead does not take others with it', (t) => {
  const domain = freshDomain(t);
  const node = freshNode(t, domain);
  const stranger = new NodeServices(domain, NODE);
  stranger.create(PUBLISH_SUBSCRIBE, 'x');
  node.openOrCreate(PUBLISH_SUBSCRIBE, 'x');
  assert.deepEqual(readdirSync(domain.serviceFolder('x')).sort(), [node.node, 'service.json'].sort());
  stranger.close();
  assert.equal(freshNode(t, domain).open(PUBLISH_SUBSCRIBE, 'x').name, 'x');
});
