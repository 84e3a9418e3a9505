/** The files in /dev of devices that make buffers or pictures, for people who look for them. Owns nothing, opens nothing. */
import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A device's file. */
export interface DeviceFile {
  readonly path: string;
  /** Whether this user may open it. */
  readonly usable: boolean;
}

/** Those that are there, each sorted by name. */
export interface Devices {
  /** Allocate DMA-BUFs. */
  readonly dmaHeaps: readonly DeviceFile[];
  /** Makes DMA-BUFs of memory: one, or none. */
  readonly udmabuf: readonly DeviceFile[];
  /** Cameras, and whatever else has video. */
  readonly video: readonly DeviceFile[];
}

const FOLDER = '/dev';

/** Looks what there is. */
export function findDevices(): Devices {
  return {
    dmaHeaps: listed(join(FOLDER, 'dma_heap')).map(deviceFile),
    udmabuf: listed(FOLDER)
      .filter((path) => path.endsWith('/udmabuf'))
      .map(deviceFile),
    video: videoDevices().map(deviceFile),
  };
}

/** Paths of the video devices, by their numbers. */
export function videoDevices(): string[] {
  const number = (path: string) => Number(path.replace(/\D/g, ''));
  return listed(FOLDER)
    .filter((path) => /\/video\d+$/.test(path))
    .sort((one, other) => number(one) - number(other));
}

function deviceFile(path: string): DeviceFile {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return { path, usable: true };
  } catch {
    return { path, usable: false };
  }
}

/** What is in a folder; nothing where there is none. */
function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
