#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createTables } from './create-tables.js';

const USAGE = `Usage: nestjs-dynamodb-event-store create-tables --events NAME --bookkeeping NAME [--endpoint URL] [--region REGION]

Creates the two tables that are missing: on-demand capacity, streams on events, expiry on bookkeeping,
point-in-time recovery and deletion protection. Safe to run again. Region and credentials come from the
environment or the profile, as for every AWS SDK; the endpoint from --endpoint or DYNAMODB_ENDPOINT.`;

async function main(): Promise<number> {
  const parsed = parse();
  if (parsed === 'help') {
    console.log(USAGE);
    return 0;
  }
  if (!parsed) {
    console.error(USAGE);
    return 2;
  }
  try {
    await createTables(parsed, (step) => console.log(step));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    return 1;
  }
}

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        events: { type: 'string' },
        bookkeeping: { type: 'string' },
        endpoint: { type: 'string' },
        region: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) return 'help';
    const { events, bookkeeping, endpoint = process.env.DYNAMODB_ENDPOINT, region } = values;
    if (positionals.join(' ') !== 'create-tables' || !events || !bookkeeping) return undefined;
    return { tables: { events, bookkeeping }, ...(endpoint && { endpoint }), ...(region && { region }) };
  } catch {
    return undefined;
  }
}

void main().then((exitCode) => {
  process.exitCode = exitCode;
});
