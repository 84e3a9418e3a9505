// The TypeScript programs of the documentation, as modules that a compiler takes.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** What the programs of the documentation take from their surroundings. What a program declares itself comes first. */
export const SURROUNDINGS = `
import type { MessagePort, Worker } from 'node:worker_threads';
import type { Blob as SealedBlob, BlobInfo, Bus, Mappable, WasmMemory, Window } from 'sealane';
declare global {
  const bus: Bus; const blob: SealedBlob; const info: BlobInfo;
  const weights: Uint8Array; const tensor: Float32Array; const signal: AbortSignal;
  const worker: Worker; const parentPort: MessagePort;
  const frame: SealedBlob; const window: Window; const memfd: Mappable; const fd: number;
  const guest: { memory: WasmMemory & { grow(pages: number): number }; histogram(address: number, pixels: number): void };
  const camera: { readInto(bytes: Uint8Array): void };
  function render(bytes: Uint8Array): void;
  function show(bytes: Uint8Array, width?: number, height?: number): void;
}
`;

/** What a program of the documentation may use without importing it: its page said where it comes from. */
const NAMES = ['connect', 'Broker', 'DraftPool', 'openBlob', 'Window'];

export interface Program {
  /** The line of the page on which it begins. */
  readonly line: number;
  readonly code: string;
}

/** The programs of a page, which is named from the repository's root. */
export function programs(page: string): Program[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }));
}

/** A program as an ECMAScript module of its own. */
export function asModule(code: string): string {
  return `${missingImports(code)}\n${code}\nexport {};\n`;
}

/** The same for CommonJS, which knows no await outside of a function. */
export function asCommonJs(code: string): string {
  const lines = code.split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  const rest = lines.filter((line) => !line.startsWith('import '));
  return [missingImports(code), ...imports, 'export async function main() {', ...rest, '}', ''].join('\n');
}

function missingImports(code: string): string {
  const missing = NAMES.filter((name) => !new RegExp(`^import .*\\b${name}\\b`, 'm').test(code));
  return `import { ${missing.join(', ')} } from 'sealane';`;
}
