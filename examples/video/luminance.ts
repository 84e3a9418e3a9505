/** Computes how bright each frame is, and how much of it moved since the one before. Reads the frames where they are. */
import { frameBytes, PIXEL_BYTES, Reporter } from './shape.js';
import { viewFrames } from './viewer.js';

const reporter = new Reporter('luminance');
let former: Uint8Array | undefined;

await viewFrames('video luminance', reporter, ({ bytes }, shape) => {
  // What is compared with the next frame is kept; the frame itself goes back.
  const present = new Uint8Array(frameBytes(shape) / PIXEL_BYTES);
  let sum = 0;
  let moved = 0;
  for (let pixel = 0, at = 0; pixel < present.length; pixel++, at += PIXEL_BYTES) {
    const luma = lumaOf(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
    sum += luma;
    moved += Math.abs(luma - (former?.[pixel] ?? luma));
    present[pixel] = luma;
  }
  former = present;
  const mean = (total: number) => (total / present.length).toFixed(1);
  reporter.note = `luminance ${mean(sum)}, motion ${mean(moved)}`;
});

/** Rec. 709 weights, in 1/256. */
function lumaOf(red: number, green: number, blue: number): number {
  return (54 * red + 183 * green + 19 * blue) >> 8;
}
