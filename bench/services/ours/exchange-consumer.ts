// A consumer of our exchange: receives payloads in its event loop, looks at every byte, and answers with a sample.
// Arguments: the directory of the domain, and how many consumers there are.
import { Node, type Publisher, type Sample } from 'sealane';
import { READY } from '../../peers/node/children.js';
import { Pass } from '../../peers/node/pass.js';
import { ANSWER_BYTES, BACK, MAX_PAYLOAD_BYTES, settingsOf, THERE } from './exchange-names.js';

const [directory = '', consumers = '1'] = process.argv.slice(2);

function answer(publisher: Publisher, sample: Sample): void {
  const seen = new Pass().take(sample.bytes);
  const loan = publisher.hot.loan(ANSWER_BYTES);
  new DataView(loan.bytes.buffer, loan.bytes.byteOffset).setFloat64(0, seen, true);
  loan.send();
}

const node = await Node.create({ name: 'consumer', directory });
const there = await node.service(THERE).publishSubscribe(settingsOf(MAX_PAYLOAD_BYTES, Number(consumers)));
const back = await node.service(BACK).publishSubscribe(settingsOf(ANSWER_BYTES, 1));
const subscriber = await there.subscriber();
const publisher = await back.publisher();

process.once('disconnect', () => node.close());
process.send?.(READY);
for await (using sample of subscriber) answer(publisher, sample);
process.exit(0);
