import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { getAggregateRepositoryToken, type AggregateRepository } from 'nestjs-dynamodb-event-store';
import { AppModule } from '../app.module.js';
import { openDatabase } from '../database.js';
import { compareLog } from '../permit-office/compare-log.js';
import { countLog } from '../permit-office/count-log.js';
import { importLog, type ImportResult } from '../permit-office/import-log.js';
import { PermitCase } from '../permit-office/permit-case.js';
import { readLog } from '../permit-office/read-log.js';
import { compareViews } from './compare-views.js';
import { Progress } from './progress.js';
import { number, quantity } from './quantity.js';
import { showCase } from './show-case.js';

/** What the exit code of the demo says. */
export const EXIT = {
  allEqual: 0,
  failed: 1,
  /** The rows that were stored equal the file's, but some could not be stored. */
  rowsSkipped: 2,
  interrupted: 130,
} as const;

/**
 * Imports a log, one command a row, into tables of its own, reads everything back and compares, views included.
 *
 * @returns the exit code
 * @throws LogFileError, ImportFailedError, or the signal's reason, when everything that was started has ended
 */
export async function runDemo(file: string, signal: AbortSignal): Promise<number> {
  const path = resolve(file);
  // A file that is no log is found out before anything is started for it.
  for await (const _ of readLog(path)) break;

  // Each run has tables of its own, as a DynamoDB behind DYNAMODB_ENDPOINT keeps those of the last.
  const database = await openDatabase(`demo-${randomUUID().slice(0, 8)}`);
  try {
    console.log(database.description);
    signal.throwIfAborted();
    const app = await NestFactory.createApplicationContext(AppModule.on(database.options, database.accountViews), {
      logger: ['warn', 'error', 'fatal'],
      abortOnError: false,
    });
    try {
      const cases = app.get<AggregateRepository<PermitCase>>(getAggregateRepositoryToken(PermitCase), {
        strict: false,
      });
      const { skipped } = await importWithProgress(path, app.get(CommandBus, { strict: false }), signal);
      const events = await compareEvents(path, skipped, cases, signal);
      const viewsEqual = await compareViews(app, await countLog(readLog(path), skipped), {
        accounts: database.accountViews !== undefined,
        signal,
      });
      if (!events.equal || !viewsEqual) return EXIT.failed;
      if (events.longestCase !== undefined) console.log(`\n${await showCase(cases, events.longestCase)}`);
      if (skipped.size === 0) return EXIT.allEqual;
      console.log(
        `\n${quantity(skipped.size, 'row')} of the file could not be stored, so the exit code is ${EXIT.rowsSkipped}.`,
      );
      return EXIT.rowsSkipped;
    } finally {
      await app.close();
    }
  } finally {
    await database.stop();
  }
}

async function importWithProgress(path: string, commands: CommandBus, signal: AbortSignal): Promise<ImportResult> {
  console.log(`Importing ${path}, one command for each row.`);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let stored = 0;
  const progress = new Progress(() => `${quantity(stored, 'row')} stored in ${seconds().toFixed(0)} s`);
  try {
    const result = await importLog(readLog(path), {
      commands,
      signal,
      onStored: () => stored++,
      onSkipped: ({ line, fault }) => progress.print(`Line ${line} is skipped: ${fault}`),
    });
    const took = seconds();
    progress.print(
      `${quantity(stored, 'command')} in ${took.toFixed(1)} s, ${number(Math.round(stored / took))} commands per second; ${quantity(result.skipped.size, 'row')} skipped.`,
    );
    return result;
  } finally {
    progress.end();
  }
}

async function compareEvents(
  path: string,
  skipped: ReadonlySet<number>,
  cases: AggregateRepository<PermitCase>,
  signal: AbortSignal,
): Promise<{ readonly equal: boolean; readonly longestCase: string | undefined }> {
  const { longestCase, differences, ...all } = await compareLog(readLog(path), skipped, cases, signal);
  const size = `${quantity(all.cases, 'case')}, ${quantity(all.events, 'event')}`;
  if (differences.length === 0) {
    console.log(`${size}: counts, order, users and times equal the file's.`);
    return { equal: true, longestCase };
  }
  console.error(`${size}: ${quantity(differences.length, 'case')} not as the file says:`);
  for (const difference of differences) console.error(`  ${difference}`);
  return { equal: false, longestCase };
}
