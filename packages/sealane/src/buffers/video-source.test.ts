// Sources of video as far as they go without a camera: what is none, and options that can't be met, are refused. test/vm has the rest.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { V4l2Source, type V4l2SourceOptions } from './video-source.js';

const openDescriptors = () => readdirSync('/proc/self/fd').length;

test('what records nothing is refused, and left closed', () => {
  const before = openDescriptors();
  assert.throws(() => V4l2Source.open('/dev/null'), { code: 'ERR_SEALANE_WRONG_DESCRIPTOR' });
  assert.throws(() => V4l2Source.open('/nowhere/video0'), { errnoName: 'ENOENT' });
  assert.equal(openDescriptors(), before);
});

test('options that no device can meet are refused before one is opened', () => {
  const wrong: [RegExp, object][] = [
    [/buffers/, { buffers: 1 }],
    [/buffers/, { buffers: 33 }],
    [/ahead/, { ahead: 1 }],
    [/access/, { access: 'write' }],
    [/width/, { width: 0 }],
    [/height/, { height: 65_536 }],
    [/formats must be an array of codes of DRM/, { formats: 0x34325258 }],
    [/formats must be one or more codes of DRM.*got an empty array/, { formats: [] }],
    [/formats\[0\] must be/, { formats: [-1] }],
    [/formats\[1\] must be a code of DRM: fourcc\("NV12"\)/, { formats: [0x34325258, 'NV12'] }],
    [/options/, { format: 0x34325258 }],
  ];
  for (const [message, options] of wrong)
    assert.throws(() => V4l2Source.open('/nowhere/video0', options as V4l2SourceOptions), {
      code: 'ERR_SEALANE_INVALID_ARGUMENT',
      message,
    });
});
