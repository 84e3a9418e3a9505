/**
 * The file that says what a service is. Made once, by its creator; never changed. Trusted only after every value in it was checked.
 */
import { join } from 'node:path';
import { isRecord } from '../base/check.js';
import { describe, SealaneError } from '../base/errors.js';
import { protocolError } from '../wire/index.js';
import { type Attributes, parseAttributes } from './attributes.js';
import { type FileRecord, readRecord, writeNew } from './files.js';
import { checkName } from './names.js';
import { parseSettings, type ServiceSettings } from './settings.js';

/** What the creator of a service defined. */
export interface ServiceDefinition {
  readonly name: string;
  readonly settings: ServiceSettings;
  readonly attributes: Attributes;
}

const FILE = 'service.json';
const MESSAGING = 'publish-subscribe';

/** Writes it into a new folder. Throws ERR_SEALANE_SYSTEM. */
export function writeDefinition(folder: string, { name, settings, attributes }: ServiceDefinition): void {
  writeNew(join(folder, FILE), { name, messaging: MESSAGING, settings, attributes });
}

/**
 * What a service is: of any name, or of this one. Throws ERR_SEALANE_PROTOCOL when its file is missing or not as it must be,
 * ERR_SEALANE_VERSION_MISMATCH, ERR_SEALANE_SETTINGS_MISMATCH for a service that is no publish-subscribe, ERR_SEALANE_SYSTEM.
 */
export function readDefinition(folder: string, expected?: string): ServiceDefinition {
  const path = join(folder, FILE);
  const definition = readRecord(path, parseDefinition);
  if (definition === undefined) throw protocolError(`the file ${path} is missing: remove its folder`);
  if (expected !== undefined && definition.name !== expected)
    throw protocolError(
      `the file ${path} is of the service ${describe(definition.name)}, not of ${describe(expected)}`,
    );
  return definition;
}

function parseDefinition({ name, messaging, settings, attributes }: FileRecord): ServiceDefinition {
  requireName(name);
  if (messaging !== MESSAGING) throw wrongMessaging(name, messaging);
  if (!isRecord(settings)) throw protocolError(`its settings are ${describe(settings)}`);
  return { name, settings: parseSettings(settings), attributes: parseAttributes(attributes) };
}

function requireName(name: unknown): asserts name is string {
  try {
    checkName('name', name);
  } catch (error) {
    throw error instanceof SealaneError ? protocolError(error.message) : error;
  }
}

function wrongMessaging(name: string, messaging: unknown): SealaneError {
  const message = `the service ${describe(name)} is of the kind ${describe(messaging)}, and ${describe(MESSAGING)} is required`;
  return new SealaneError('ERR_SEALANE_SETTINGS_MISMATCH', message);
}
