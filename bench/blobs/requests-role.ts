// Encodes the packets that the load generator sends, with the library's own encoder, and puts the object they ask for.
import { type Bus, connect } from 'sealane';
import { encodeRequest } from 'sealane/internal';
import { serve } from '../harness/station.js';

/** Whole messages in hex. */
export interface RequestPackets {
  readonly hello: string;
  readonly stat: string;
  readonly get: string;
}

const NAME = 'bench/requests';
const PACKET_BYTES = 65_536;

let bus: Bus | undefined;

function hex(request: Parameters<typeof encodeRequest>[0]): string {
  return Buffer.from(encodeRequest(request)).toString('hex');
}

async function prepare({ socket }: { socket: string }): Promise<RequestPackets> {
  bus = await connect({ socket });
  await bus.put(new Uint8Array(4096).fill(0x5a), { name: NAME });
  const selector = { by: 'name', name: NAME } as const;
  return {
    hello: hex({
      type: 'hello',
      requestId: 1,
      minVersion: 1,
      maxVersion: 1,
      maxPacketBytes: PACKET_BYTES,
      maxMessageBytes: PACKET_BYTES,
    }),
    stat: hex({ type: 'stat', requestId: 1, selector, digest: false }),
    get: hex({ type: 'get', requestId: 1, selector, wait: false }),
  };
}

serve({ prepare }, async () => {
  await bus?.close();
});
