// Shell scripts written for memfdbus, with `sealane` in the place of its program.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MAX_JOB_BYTES, MAX_NAME_BYTES } from 'sealane/internal';
import * as limits from './arguments.js';
import { SEALANE, TestCommand } from './command.test.helper.js';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

let command: TestCommand;

before(async () => {
  command = await TestCommand.start();
  writeFileSync(join(command.folder, 'first'), 'content of the first\n');
  writeFileSync(join(command.folder, 'second'), 'content of the second\n');
});

after(async () => {
  await command[Symbol.asyncDispose]();
});

/** What a script prints that ends at the first command that fails; line by line. */
function script(text: string, extra: NodeJS.ProcessEnv = {}): string[] {
  const { status, stdout, stderr } = command.script('sh', text, extra);
  assert.deepEqual([status, stderr], [0, ''], stdout);
  return stdout.trimEnd().split('\n');
}

/** Standard error of a command that fails. */
function refusal(words: readonly string[], extra: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = command.run(SEALANE, words, extra);
  assert.notEqual(status, 0, words.join(' ').slice(0, 100));
  assert.equal(stdout, '');
  return stderr;
}

test('put prints an id, get writes where the second argument says, drop prints the id', () => {
  const lines = script(`
    socket=$SEALANE_DIR/broker.sock
    old=$("$SEALANE" put first --name model --socket "$socket")
    new=$("$SEALANE" put second --name model --socket "$socket")
    "$SEALANE" get "$old" copy --socket "$socket" && cmp first copy
    "$SEALANE" get --name model copy --socket "$socket" && cmp second copy
    "$SEALANE" get --name model - --socket "$socket" | cmp second -
    test "$("$SEALANE" drop --name model --socket "$socket")" = "$new"
    "$SEALANE" get --name model - --socket "$socket" | cmp first -
    test "$("$SEALANE" drop "$old" --socket "$socket")" = "$old"
    piped=$("$SEALANE" put - --name piped --socket "$socket" < first)
    "$SEALANE" get "$piped" - | cmp first -
    echo "$old $new $piped"`);
  const [old = 0, next = 0, piped = 0] = lines.join().split(' ').map(Number);
  assert.ok(old >= 1 && next > old && piped > next);
});

test('without a name the base name is taken, with --content-addressed the digest', () => {
  const [byFile = '', byDigest = ''] = script(`
    plain=$("$SEALANE" put "$SEALANE_DIR/first")
    addressed=$("$SEALANE" put "$SEALANE_DIR/second" --content-addressed)
    "$SEALANE" list | grep -E "^($plain|$addressed)\t"`).map((line) => line.split('\t'));
  assert.equal(byFile[5], 'first');
  assert.match(byDigest[4] ?? '', DIGEST);
  assert.equal(byDigest[5], byDigest[4]);
  assert.equal(command.output('get', '--name', byDigest[5] ?? '', '-'), 'content of the second\n');
});

test('a line of the list has six fields, and a digest whether or not somebody has asked for one', () => {
  const put = ['put', 'first', '--name', 'listed', '--job-id', 'alpha', '--allow-job', 'beta'];
  const id = command.output(...put).trim();
  const lines = command.output('list', '--job-id', 'beta').trimEnd().split('\n');
  const line = lines.find((candidate) => candidate.startsWith(`${id}\t`)) ?? '';
  const [, owner, allowed, size, digest, name] = line.split('\t');
  assert.deepEqual([owner, allowed, size, name], ['owner=alpha', 'allowed=beta', '21', 'listed']);
  assert.match(digest ?? '', DIGEST);
  const fresh = command.output('put', 'second', '--name', 'unhashed').trim();
  const unhashed = command.output('list', 'unhashed', '--no-digests');
  assert.equal(unhashed, `${fresh}\towner=-\tallowed=-\t22\t-\tunhashed\n`);
  assert.match(command.output('list', 'unhashed').split('\t')[4] ?? '', DIGEST);
});

test('$MEMFDBUS_JOB_ID is the job where $SEALANE_JOB_ID is not set, for every command', () => {
  const as = (job: string, text: string) => script(text, { MEMFDBUS_JOB_ID: job });
  const [id = ''] = as('env-job', '"$SEALANE" put first --name scoped --allow-job friend');
  const owners = as('env-job', '"$SEALANE" list scoped; "$SEALANE" stat scoped | grep owner');
  assert.match(owners.join(), /owner=env-job\tallowed=friend.*,owner\tenv-job$/);
  assert.deepEqual(as('friend', '"$SEALANE" exec --name scoped -- sh -c \'cat <&$MEMFDBUS_FD\''), [
    'content of the first',
  ]);
  assert.match(refusal(['get', id, '-'], { MEMFDBUS_JOB_ID: 'stranger' }), /access denied/);
  assert.match(refusal(['exec', id, '--', 'true'], { MEMFDBUS_JOB_ID: 'stranger' }), /access denied/);
  const preferred = { MEMFDBUS_JOB_ID: 'stranger', SEALANE_JOB_ID: 'env-job' };
  assert.match(refusal(['drop', id, '--job-id', 'friend'], preferred), /access denied/);
  assert.deepEqual(script(`"$SEALANE" drop ${id}`, preferred), [id]);
  assert.match(refusal(['get', id, '-']), /object not found/);
});

test('exec gives the program the descriptor and what is known of the object', () => {
  script(`
    id=$("$SEALANE" put first --name handed)
    "$SEALANE" exec "$id" --socket "$SEALANE_DIR/broker.sock" -- sh -c '
      test "$MEMFDBUS_OBJECT_ID" = "$1"
      test "$MEMFDBUS_NAME" = handed
      test "$MEMFDBUS_SIZE" = "$(wc -c < first)"
      test "$MEMFDBUS_DIGEST" = "sha256:$(sha256sum first | cut -c1-64)"
      cmp first "/proc/self/fd/$MEMFDBUS_FD"
      cmp first - <&"$MEMFDBUS_FD"' sh "$id"`);
});

test('names and jobs that are too long are refused before anything is sent', () => {
  assert.deepEqual([limits.MAX_NAME_BYTES, limits.MAX_JOB_BYTES], [MAX_NAME_BYTES, MAX_JOB_BYTES]);
  const long = 'x'.repeat(MAX_NAME_BYTES + 1);
  const nowhere = ['--socket', join(command.folder, 'none.sock')];
  for (const words of [
    ['put', 'first', '--name', long],
    ['get', '--name', long, 'copy'],
    ['drop', '--name', long],
    ['exec', '--name', long, ...nowhere, '--', 'true'],
  ]) {
    const place = words.includes('--') ? [] : nowhere;
    assert.match(refusal([...words, ...place]), /^sealane: object name too long: 65537 bytes; /);
  }
  const job = 'j'.repeat(MAX_JOB_BYTES + 1);
  assert.match(refusal(['list', '--job-id', job, ...nowhere]), /^sealane: job id too long: 257 bytes; /);
  assert.match(refusal(['put', 'first', '--job-id', 'a', '--allow-job', job]), /job id too long/);
  assert.equal(
    command.output('put', 'first', '--name', 'x'.repeat(MAX_NAME_BYTES)).trim().match(/^\d+$/)?.length,
    1,
  );
});

test('errors go to standard error, and options that must be positive say what they take', () => {
  assert.match(refusal(['get', '--name', 'none', '-']), /^sealane: object not found: .*"none"; /);
  assert.match(refusal(['get', '999999', '-']), /object not found/);
  assert.match(refusal(['get', '0', '-']), /invalid id: 0; /);
  assert.match(
    refusal(['broker', '--max-objects', '0']),
    /invalid --max-objects: 0; it takes a whole number from 1/,
  );
  assert.match(refusal(['put', 'first', '--allow-job', 'b']), /--allow-job needs a job/);
  assert.match(refusal(['get', 'first', 'copy', '-o', 'other']), /output is given twice/);
  assert.match(refusal(['put', 'first', '--digest', `sha256:${'0'.repeat(64)}`]), /digest mismatch/);
});
