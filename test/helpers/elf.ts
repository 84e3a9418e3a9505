// Reads what a shared library asks of the machine that loads it, from its bytes: 64-bit little-endian ELF, as elf(5) draws it.
// Trusts the file to be what a linker made; a wrong one makes it throw.
import { readFileSync } from 'node:fs';

/** A symbol of the dynamic symbol table. */
export interface DynamicSymbol {
  readonly name: string;
  readonly defined: boolean;
  /** It may stay undefined: then its address is 0. */
  readonly weak: boolean;
  /** The version that is asked for, as in GLIBC_2.17. */
  readonly version: string | undefined;
}

export interface SharedLibrary {
  /** EM_X86_64 is 62, EM_AARCH64 is 183. */
  readonly machine: number;
  /** The libraries that it asks for. */
  readonly needed: readonly string[];
  readonly symbols: readonly DynamicSymbol[];
  /** Tags of the dynamic section, with their values. */
  readonly dynamic: ReadonlyMap<number, bigint>;
  /** Whether it asks for a stack on which code can run. */
  readonly executableStack: boolean;
}

export const DT_TEXTREL = 22;
export const DT_RELR = 36;
export const DT_FLAGS_1 = 0x6ffffffb;
export const DF_1_NOW = 0x1n;
export const DF_1_NODELETE = 0x8n;

const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const SHT_DYNAMIC = 6;
const SHT_DYNSYM = 11;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const DT_NEEDED = 1;
const SHN_UNDEF = 0;
const STB_WEAK = 2;

interface Section {
  readonly type: number;
  readonly link: number;
  readonly bytes: Buffer;
}

export function readSharedLibrary(path: string): SharedLibrary {
  const file = readFileSync(path);
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new Error(`${path} is not a 64-bit little-endian ELF file`);
  }
  const sections = readSections(file);
  const entries = sections.filter(({ type }) => type === SHT_DYNAMIC).flatMap(dynamicEntries);
  const strings = stringsOf(
    sections,
    sections.find(({ type }) => type === SHT_DYNAMIC),
  );
  return {
    machine: file.readUInt16LE(18),
    needed: entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(strings, Number(value))),
    symbols: readSymbols(sections),
    dynamic: new Map(entries.map(({ tag, value }) => [tag, value])),
    executableStack: stackFlags(file) % 2 === PF_X,
  };
}

function readSections(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(40));
  const size = file.readUInt16LE(58);
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const header = file.subarray(start + index * size, start + (index + 1) * size);
    const offset = Number(header.readBigUInt64LE(24));
    const type = header.readUInt32LE(4);
    return { type, link: header.readUInt32LE(40), bytes: file.subarray(offset, offset + lengthOf(header)) };
  });
}

function lengthOf(header: Buffer): number {
  const SHT_NOBITS = 8;
  return header.readUInt32LE(4) === SHT_NOBITS ? 0 : Number(header.readBigUInt64LE(32));
}

function dynamicEntries({ bytes }: Section): Array<{ tag: number; value: bigint }> {
  const all = Array.from({ length: bytes.length / 16 }, (_, index) => ({
    tag: Number(bytes.readBigInt64LE(index * 16)),
    value: bytes.readBigUInt64LE(index * 16 + 8),
  }));
  return all.slice(
    0,
    all.findIndex(({ tag }) => tag === 0),
  );
}

function readSymbols(sections: readonly Section[]): DynamicSymbol[] {
  const table = sections.find(({ type }) => type === SHT_DYNSYM);
  if (table === undefined) return [];
  const strings = stringsOf(sections, table);
  const versions = sections.find(({ type }) => type === SHT_GNU_VERSYM)?.bytes;
  const names = versionNames(sections);
  return Array.from({ length: table.bytes.length / 24 }, (_, index) => {
    const entry = table.bytes.subarray(index * 24, index * 24 + 24);
    return {
      name: text(strings, entry.readUInt32LE(0)),
      defined: entry.readUInt16LE(6) !== SHN_UNDEF,
      weak: entry.readUInt8(4) >> 4 === STB_WEAK,
      version: versions && names.get(versions.readUInt16LE(index * 2) & 0x7fff),
    };
  }).slice(1);
}

/** Names of the versions that are asked for, by the number that stands beside each symbol. */
function versionNames(sections: readonly Section[]): Map<number, string> {
  const names = new Map<number, string>();
  const section = sections.find(({ type }) => type === SHT_GNU_VERNEED);
  if (section === undefined) return names;
  const { bytes } = section;
  const strings = stringsOf(sections, section);
  for (let file = 0, next = -1; next !== 0; file += next) {
    next = bytes.readUInt32LE(file + 12);
    let version = file + bytes.readUInt32LE(file + 8);
    for (let left = bytes.readUInt16LE(file + 2); left > 0; left--) {
      names.set(bytes.readUInt16LE(version + 6), text(strings, bytes.readUInt32LE(version + 8)));
      version += bytes.readUInt32LE(version + 12);
    }
  }
  return names;
}

function stackFlags(file: Buffer): number {
  const start = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  for (let index = 0; index < file.readUInt16LE(56); index++) {
    const header = start + index * size;
    if (file.readUInt32LE(header) === PT_GNU_STACK) return file.readUInt32LE(header + 4);
  }
  // Without the header the kernel takes an executable one.
  return PF_X;
}

function stringsOf(sections: readonly Section[], section: Section | undefined): Buffer {
  return sections[section?.link ?? 0]?.bytes ?? Buffer.alloc(0);
}

function text(strings: Buffer, offset: number): string {
  return strings.toString('latin1', offset, strings.indexOf(0, offset));
}
