// A broker inside another program: `host.js OPTIONS`, as JSON. Prints a line when it serves, as `sealane broker` does.
import { Broker, type BrokerOptions } from 'sealane';

const broker = await Broker.start(JSON.parse(process.argv[2] ?? '{}') as BrokerOptions);
process.on('SIGTERM', () => void broker.stop().then(() => process.exit(0)));
process.stdout.write(`${broker.socket}\n`);
