// A broker in a process of its own. Options come as JSON in the first argument; prints "ready" when it serves.
import { Broker, type BrokerOptions } from 'sealane';

const options = JSON.parse(process.argv[2] ?? '{}') as BrokerOptions;
const broker = await Broker.start(options);
process.stdout.write('ready\n');
process.on('SIGTERM', () => void broker.stop().then(() => process.exit(0)));
