// A process that becomes another user: `user.js UID serve OPTIONS`, a broker with options as JSON (its descriptor 3 may be passed),
// or `user.js UID connect OPTIONS`, a client that prints who serves it, or why it refuses to be served.
import { Broker, type BrokerOptions, type ConnectOptions, connect, isSealaneError } from 'sealane';
import { Memfd } from 'sealane/internal';

const [uid = '', role = '', options = '{}'] = process.argv.slice(2);

async function serve(): Promise<void> {
  await Broker.start(JSON.parse(options) as BrokerOptions);
  process.stdout.write('ready\n');
}

async function tell(): Promise<string> {
  try {
    await using bus = await connect(JSON.parse(options) as ConnectOptions);
    return `served by ${(await bus.status()).pid}`;
  } catch (error) {
    return isSealaneError(error) ? error.code : String(error);
  }
}

// The addon is loaded while it may be read: the repository need not be open to that user.
Memfd.create('load').close();
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));
if (role === 'serve') await serve();
else process.stdout.write(`${await tell()}\n`);
