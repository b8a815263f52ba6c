import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import type { EventStoreModuleOptions } from '../../../src/index.js';
import { Count, CountingModule } from './counting.module.js';

/** An application in a process of its own: serves until a signal comes, or counts, closes, and leaves the rest to Node. */

const { task, options } = JSON.parse(process.argv[2]!) as {
  task: 'serve' | 'count-and-close';
  options: EventStoreModuleOptions;
};

const exit = process.exit.bind(process);
process.exit = ((code?: number) => {
  say({ exitCalled: code });
  exit(code);
}) as typeof process.exit;

const before = openSockets();
const app = await NestFactory.create(CountingModule.on(options), { logger: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
say({ port: (app.getHttpServer().address() as AddressInfo).port });

if (task === 'count-and-close') {
  const commands = app.get(CommandBus, { strict: false });
  await Promise.all(Array.from({ length: 20 }, (_, index) => commands.execute(new Count(`own-${index}`))));
  await app.close();
  // A destroyed socket is closed in the next turns of the event loop.
  for (let turns = 0; turns < 10; turns++) await turn();
  say({ closed: { socketsLeft: openSockets() - before } });
}

/** Where the system shows them; Node does not, as it lets a process end in spite of idle ones. */
function openSockets(): number {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((descriptor) => isSocket(`/proc/self/fd/${descriptor}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // The descriptor of the listing itself is gone.
    return false;
  }
}

function say(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
