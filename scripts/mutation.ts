import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { dynamoDbEndpoint } from './dynamodb-local.js';
import { sweepTables } from './table-sweeper.js';

const ROOMS = ['store', 'dynamodb', 'aggregate'];

/**
 * Runs Stryker on one room of `src` after the other, with one DynamoDB for all test runs: `npm run mutation`. Also on one
 * room, or a part of it: `npm run mutation -- store --mutate src/store/read-range.ts`.
 */
async function main([first, ...rest]: readonly string[]): Promise<number> {
  const rooms = ROOMS.filter((room) => room === first || first === undefined);
  if (rooms.length === 0) {
    console.error(`Which room? ${ROOMS.join(', ')}`);
    return 2;
  }
  const ownDatabase = !process.env.DYNAMODB_ENDPOINT;
  const database = await dynamoDbEndpoint();
  const stopSweeping = ownDatabase ? sweepTables(database.endpoint) : undefined;
  try {
    let worst = 0;
    for (const room of rooms) worst = Math.max(worst, await mutate(room, database.endpoint, rest));
    return worst;
  } finally {
    stopSweeping?.();
    await database.stop();
  }
}

async function mutate(room: string, endpoint: string, options: readonly string[]): Promise<number> {
  const stryker = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json');
  const running = spawn(process.execPath, [join(dirname(stryker), 'bin', 'stryker.js'), 'run', ...options], {
    env: { ...process.env, DYNAMODB_ENDPOINT: endpoint, MUTATED_ROOM: room },
    stdio: 'inherit',
  });
  const [code] = (await once(running, 'exit')) as [number | null];
  return code ?? 1;
}

process.exitCode = await main(process.argv.slice(2));
