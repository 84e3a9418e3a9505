// Mapping a blob into a window over the memory of a WebAssembly guest, against copying it there: until the guest can read it, and with all of
// it read.
import { BrokerStation } from '../blobs/broker-station.js';
import { type Interleaved, interleave, type Side } from '../harness/interleave.js';
import { makeRow, type Row } from '../harness/row.js';
import { Station } from '../harness/station.js';
import type { Context, Measurement } from '../harness/suite.js';
import type { MapBatch } from './map-role.js';

const ID = 'windows.map';
const READ_ID = 'windows.map.read';
const BYTES = 64 * 2 ** 20;

const ABOUT = `
windows.map: \`window.map(0, blob)\` and \`window.unmap(0)\` for a blob of 64 MiB and a window over the memory of a WebAssembly guest,
compared with copying it there: \`guestBytes.set(blob.bytes)\`. The copy's way is as warm as it gets: the blob's pages are mapped and were read
before, and the guest's own pages are there already. Nothing of the blob is read after mapping. "populated" is with \`populate: true\`,
which enters all pages of the blob into the guest's address space ahead.

windows.map.read: the same with one pass over all 64 MiB in the guest's memory (a search for the last byte, memchr), page faults included.

One process, pinned; batches alternate. Ratio: copying / mapping, larger is better.
`;

/** Sides by how the blob gets into the guest, and whether it is read there. */
function side(name: string, client: Station, batch: MapBatch): Side {
  return { name, run: () => client.call<number[]>('deliver', batch) };
}

function row(id: string, result: Interleaved, suffix: string): Row {
  const mapped = result.summary(`map${suffix}`);
  return makeRow({
    id,
    value: mapped.p50,
    unit: 'us',
    ratio: result.ratio(`copy${suffix}`, `map${suffix}`),
    to: 'copying 64 MiB into the guest',
    more: {
      p99: mapped.p99,
      peer: result.summary(`copy${suffix}`).p50,
      populated: result.summary(`populate${suffix}`).p50,
    },
  });
}

async function run(context: Context): Promise<Row[]> {
  await using broker = await BrokerStation.start();
  await using client = Station.start(new URL('./map-role.js', import.meta.url), { place: 'client' });
  await client.call('open', { socket: broker.socket, bytes: BYTES });
  const rows: Row[] = [];
  for (const [id, reads] of [
    [ID, false],
    [READ_ID, true],
  ] as const) {
    if (!context.wants(id)) continue;
    const count = reads ? 2 : 5;
    const suffix = reads ? ', read' : '';
    const sides = (['map', 'populate', 'copy'] as const).map((way) =>
      side(`${way}${suffix}`, client, { way, reads, count }),
    );
    const result = await interleave(sides, {
      rounds: context.quick ? 4 : 40,
      warmup: 4,
      onRound: (round, rounds) => context.progress(`${id}, round ${round} of ${rounds}`),
    });
    rows.push(row(id, result, suffix));
  }
  return rows;
}

export const map: Measurement = { ids: [ID, READ_ID], about: ABOUT, run };
