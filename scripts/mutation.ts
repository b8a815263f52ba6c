import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const PARTS = ['store', 'aggregate', 'dynamodb-commits', 'dynamodb-indexes', 'dynamodb-tables'];

/**
 * Runs Stryker on three rooms of `src` part by part: `npm run mutation`. Also on one part, or a file of it:
 * `npm run mutation -- store --mutate src/store/read-range.ts`.
 */
async function main([first, ...rest]: readonly string[]): Promise<number> {
  const parts = PARTS.filter((part) => part === first || first === undefined);
  if (parts.length === 0) {
    console.error(`Which part? ${PARTS.join(', ')}`);
    return 2;
  }
  let worst = 0;
  for (const part of parts) worst = Math.max(worst, await mutate(part, rest));
  return worst;
}

async function mutate(part: string, options: readonly string[]): Promise<number> {
  const stryker = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json');
  const running = spawn(process.execPath, [join(dirname(stryker), 'bin', 'stryker.js'), 'run', ...options], {
    env: { ...process.env, MUTATED_PART: part },
    stdio: 'inherit',
  });
  const [code] = (await once(running, 'exit')) as [number | null];
  return code ?? 1;
}

process.exitCode = await main(process.argv.slice(2));
