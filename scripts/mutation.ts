import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { dynamoDbEndpoint } from './dynamodb-local.js';
import { sweepTables } from './table-sweeper.js';

const PARTS = ['store', 'aggregate', 'dynamodb-commits', 'dynamodb-indexes', 'dynamodb-tables'];

/**
 * Runs Stryker on three rooms of `src` part by part, with one DynamoDB for all test runs: `npm run mutation`. Also on one
 * part, or a file of it: `npm run mutation -- store --mutate src/store/read-range.ts`.
 */
async function main([first, ...rest]: readonly string[]): Promise<number> {
  const parts = PARTS.filter((part) => part === first || first === undefined);
  if (parts.length === 0) {
    console.error(`Which part? ${PARTS.join(', ')}`);
    return 2;
  }
  const ownDatabase = !process.env.DYNAMODB_ENDPOINT;
  const database = await dynamoDbEndpoint();
  const stopSweeping = ownDatabase ? sweepTables(database.endpoint) : undefined;
  try {
    let worst = 0;
    for (const part of parts) worst = Math.max(worst, await mutate(part, database.endpoint, rest));
    return worst;
  } finally {
    stopSweeping?.();
    await database.stop();
  }
}

async function mutate(part: string, endpoint: string, options: readonly string[]): Promise<number> {
  const stryker = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json');
  const running = spawn(process.execPath, [join(dirname(stryker), 'bin', 'stryker.js'), 'run', ...options], {
    env: { ...process.env, DYNAMODB_ENDPOINT: endpoint, MUTATED_PART: part },
    stdio: 'inherit',
  });
  const [code] = (await once(running, 'exit')) as [number | null];
  return code ?? 1;
}

process.exitCode = await main(process.argv.slice(2));
