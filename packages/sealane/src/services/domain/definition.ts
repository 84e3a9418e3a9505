/**
 * The file that says what a service is. Made once, by its creator; never changed. Trusted only after every value in it was checked.
 */
import { join } from 'node:path';
import { isRecord } from '../../base/check.js';
import { describe, SealaneError } from '../../base/errors.js';
import { protocolError } from '../../wire/index.js';
import { type Access, parseAccess, writeAccess } from './access.js';
import { type Attributes, parseAttributes } from './attributes.js';
import { type FileRecord, type FileRules, readRecord, writeNew } from './files.js';
import { MESSAGINGS, type MessagingName, type SettingsOf } from './messaging.js';
import { checkName } from './names.js';

/** What the creator of a service defined. */
export interface ServiceDefinition<M extends MessagingName = MessagingName> {
  readonly name: string;
  readonly messaging: M;
  readonly settings: SettingsOf[M];
  readonly attributes: Attributes;
  /** Whom it lets in beside its creator, in a shared domain; undefined: everybody in the domain. */
  readonly access: Access | undefined;
}

const FILE = 'service.json';

/** Writes it into a new folder. Throws ERR_SEALANE_SYSTEM. */
export function writeDefinition(folder: string, definition: ServiceDefinition, rules?: FileRules): void {
  const { name, messaging, settings, attributes, access } = definition;
  const record = { name, messaging, settings, attributes };
  writeNew(
    join(folder, FILE),
    access === undefined ? record : { ...record, access: writeAccess(access) },
    rules,
  );
}

/**
 * What a service is: of any name, or of this one; by any user, or by this one. Throws ERR_SEALANE_PROTOCOL when its file is missing or not as it must be,
 * ERR_SEALANE_VERSION_MISMATCH, ERR_SEALANE_SETTINGS_MISMATCH for a service of a kind that this library does not know,
 * ERR_SEALANE_ACCESS_DENIED for one that was made in another user namespace and lets in some only, ERR_SEALANE_SYSTEM.
 */
export function readDefinition(folder: string, expected?: string, creator?: number): ServiceDefinition {
  const path = join(folder, FILE);
  const definition = readRecord(path, parseDefinition, creator);
  if (definition === undefined) throw protocolError(`the file ${path} is missing: remove its folder`);
  if (expected !== undefined && definition.name !== expected)
    throw protocolError(
      `the file ${path} is of the service ${describe(definition.name)}, not of ${describe(expected)}`,
    );
  return definition;
}

function parseDefinition({ name, messaging, settings, attributes, access }: FileRecord): ServiceDefinition {
  requireName(name);
  const kind = Object.values(MESSAGINGS).find((candidate) => candidate.name === messaging);
  if (kind === undefined) throw wrongMessaging(name, messaging, Object.keys(MESSAGINGS));
  if (!isRecord(settings)) throw protocolError(`its settings are ${describe(settings)}`);
  return {
    name,
    messaging: kind.name,
    settings: kind.settings.parse(settings),
    attributes: parseAttributes(attributes),
    access: parseAccess(access),
  };
}

function requireName(name: unknown): asserts name is string {
  try {
    checkName('name', name);
  } catch (error) {
    throw error instanceof SealaneError ? protocolError(error.message) : error;
  }
}

/** Throws ERR_SEALANE_SETTINGS_MISMATCH unless the service is of that kind. */
export function requireMessaging<M extends MessagingName>(
  definition: ServiceDefinition,
  messaging: M,
): asserts definition is ServiceDefinition<M> {
  if (definition.messaging !== messaging)
    throw wrongMessaging(definition.name, definition.messaging, [messaging]);
}

function wrongMessaging(name: string, messaging: unknown, wanted: readonly string[]): SealaneError {
  const kinds = wanted.map((kind) => describe(kind)).join(' or ');
  const message = `the service ${describe(name)} is of the kind ${describe(messaging)}, and ${kinds} is required`;
  return new SealaneError('ERR_SEALANE_SETTINGS_MISMATCH', message);
}
