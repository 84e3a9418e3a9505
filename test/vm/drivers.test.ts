// The drivers that the virtual machine is made for are there. Outside of it, this skips.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';

const skip = process.env.SEALANE_VM === '1' ? false : 'not in the virtual machine: npm run test:vm';

test('the virtual machine has udmabuf, a DMA heap, a camera and three graphics cards', { skip }, () => {
  const devices = ['udmabuf', 'dma_heap/system', 'video0', 'dri/card0', 'dri/card1', 'dri/card2'];
  assert.deepEqual(
    devices.filter((name) => !existsSync(`/dev/${name}`)),
    [],
  );
});
