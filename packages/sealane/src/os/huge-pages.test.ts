/** The setting of huge pages for shared memory, as this kernel has it and as others could. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { mayHaveHugePages, sharedHugePages } from './huge-pages.js';

test('the setting is one of those that the kernel knows, or unknown where it says nothing', () => {
  const known = ['never', 'deny', 'advise', 'within_size', 'always', 'force'];
  const setting = sharedHugePages();
  if (existsSync('/sys/kernel/mm/transparent_hugepage/shmem_enabled'))
    assert(known.includes(String(setting)));
  else assert.equal(setting, undefined);
});

test('advice may bring huge pages unless the kernel has none or gives none', () => {
  for (const setting of ['never', 'deny']) assert.equal(mayHaveHugePages(setting), false);
  for (const setting of ['advise', 'within_size', 'always', 'force']) {
    assert.equal(mayHaveHugePages(setting), true);
  }
});
