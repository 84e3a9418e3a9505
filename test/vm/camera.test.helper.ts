// A camera of the kernel's own, vivid, as tests use it: opened, running, and asked for one picture.
import { Readiness, VideoDevice, type VideoFormat } from 'sealane/internal';

export const CAMERA = '/dev/video0';

/** A picture that stays as it is: its buffer is not given back to the camera. */
export interface Picture {
  readonly format: VideoFormat;
  /** The exported buffer, the caller's. */
  readonly descriptor: number;
}

/** The next filled buffer, waited for with the thread blocked. */
export function nextFrame(camera: VideoDevice) {
  using readiness = Readiness.open();
  readiness.add(camera.fd, 0);
  for (let tries = 0; tries < 100; tries++) {
    readiness.poll(100);
    const filled = camera.dequeue();
    if (filled !== undefined) return filled;
  }
  throw new Error('no picture for ten seconds');
}

/** One picture of a camera, which is closed again. */
export function takePicture(width: number, height: number, pixelFormat: number): Picture {
  using camera = VideoDevice.open(CAMERA);
  const format = camera.setFormat({ width, height, pixelFormat });
  const count = camera.requestBuffers(2);
  for (let index = 0; index < count; index++) camera.queue(index);
  camera.start();
  const { index } = nextFrame(camera);
  return { format, descriptor: camera.exportBuffer(index, 'read-write') };
}
