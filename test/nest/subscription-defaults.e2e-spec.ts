import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { EventStoreModule, Subscriptions, type EventStoreModuleOptions } from '../../src/index.js';

const readme = readFileSync('README.md', 'utf8');

const NAMES = ['marginMs', 'backtrackMs', 'pollMs', 'leaseMs'] as const;
const DYNAMODB = { tables: { events: 'e', bookkeeping: 'b' }, clientConfig: { region: 'eu-central-1' } };

/** What the README says of an option: by default, with streams, and in memory. */
function shown(name: string): readonly number[] {
  const [, cells] = new RegExp(`^\\| \`${name}\` +\\|((?: \`\\d+\` +\\|){3})`, 'm').exec(readme)!;
  return [...cells!.matchAll(/\d+/g)].map(Number);
}

/** With what an application would follow events that gives no times of its own. Nothing connects before it starts. */
async function timing(options: EventStoreModuleOptions): Promise<Readonly<Record<string, unknown>>> {
  const module = await Test.createTestingModule({ imports: [EventStoreModule.forRoot(options)] }).compile();
  return { ...module.get(Subscriptions)['options'] };
}

describe('subscriptions without times of their own', () => {
  it.each<{ where: string; column: number; options: EventStoreModuleOptions }>([
    { where: 'by default', column: 0, options: DYNAMODB },
    { where: 'with streams', column: 1, options: { ...DYNAMODB, subscriptions: { source: 'streams' } } },
    { where: 'in memory', column: 2, options: { storage: 'memory' } },
  ])('have those that the README tells: $where', async ({ column, options }) => {
    expect(await timing(options)).toMatchObject(Object.fromEntries(NAMES.map((name) => [name, shown(name)[column]])));
  });

  it('have no others in the text of the README', () => {
    const told = [...readme.matchAll(/`(\w+Ms)` \(([\d,]+)\)/g)].map(([, name, text]) => ({
      name: name!,
      text: text!,
    }));
    expect(told.map(({ name }) => name)).toEqual(expect.arrayContaining(['marginMs', 'backtrackMs', 'pollMs']));
    for (const { name, text } of told) expect([name, Number(text.replaceAll(',', ''))]).toEqual([name, shown(name)[0]]);
  });

  it('have those of the memory there, also where a stream is asked for', async () => {
    const inMemory = await timing({ storage: 'memory' });
    expect(await timing({ storage: 'memory', subscriptions: { source: 'streams' } })).toMatchObject(inMemory);
  });
});
