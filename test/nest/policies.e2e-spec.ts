import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { CommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ANY_VERSION,
  CommandContext,
  CorruptStreamError,
  DynamoDbEventStore,
  EventRegistry,
  EventStore,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  NO_STREAM,
  On,
  provisionTables,
  type StreamId,
} from '../../src/index.js';
import { policyFor, type PolicyDocument, type Role, type Scope } from '../../src/dynamodb/policies.js';
import { eventItem } from '../../src/dynamodb/items.js';
import { streamKey } from '../../src/event/stream-id.js';
import { guard, isAllowed, type Access, type Watched } from '../setup/access.js';
import { startApplication, type Application } from '../setup/application.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';

@EventType('policies.Registered')
class Registered {
  constructor(readonly email: string) {}
}

@EventType('policies.GaveUp')
class GaveUp {}

@Aggregate('member', { snapshotEvery: 1 })
class Member extends AggregateRoot {
  email = '';

  register(email: string): void {
    this.reserve('email', email);
    this.apply(new Registered(email));
  }

  giveUp(): void {
    this.release('email', this.email);
    this.apply(new GaveUp());
  }

  @On(Registered) protected onRegistered({ email }: Registered): void {
    this.email = email;
  }

  @On(GaveUp) protected onGaveUp(): void {
    this.email = '';
  }
}

class Run {
  constructor(readonly work: (members: AggregateRepository<Member>) => Promise<unknown>) {}
}

@CommandHandler(Run)
class RunHandler {
  constructor(@InjectAggregateRepository(Member) private readonly members: AggregateRepository<Member>) {}

  async execute({ work }: Run): Promise<void> {
    await work(this.members);
  }
}

/** A process with a scope's policies, and one whose keys they must not reach. */
interface Case {
  readonly scope: Scope;
  readonly tenantId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly other: Scope;
}

const CASES: readonly (readonly [string, Case])[] = [
  [
    'one tenant',
    { scope: { kind: 'tenant', tenantId: 'acme' }, tenantId: 'acme', other: { kind: 'tenant', tenantId: 'acm' } },
  ],
  [
    'a tenant with a name of wildcards',
    {
      scope: { kind: 'tenant', tenantId: 'a*#%?${x}$' },
      tenantId: 'a*#%?${x}$',
      other: { kind: 'tenant', tenantId: '*' },
    },
  ],
  [
    'the tenant of a tagged session',
    {
      scope: { kind: 'tenant-tag', tag: 'tenant' },
      tenantId: 'tagged',
      tags: { tenant: 'tagged' },
      other: { kind: 'tenant-tag', tag: 'tenant-of-another' },
    },
  ],
  ['no tenant', { scope: { kind: 'no-tenant' }, other: { kind: 'tenant', tenantId: 'acme' } }],
  ['all tenants', { scope: { kind: 'all-tenants' }, tenantId: 'every', other: { kind: 'no-tenant' } }],
];

const tables = newTableNames();
const clients: DynamoDBClient[] = [];

const breakGlass = breakGlassClient();

beforeAll(() => provisionTables(breakGlass, tables));

afterAll(() => [breakGlass, ...clients].forEach((client) => client.destroy()));

/** A client behind exactly these policies. */
function clientOf(
  policies: readonly PolicyDocument[],
  tags?: Case['tags'],
): { client: DynamoDBClient; watched: Watched } {
  const client = breakGlassClient({ maxAttempts: 1 });
  clients.push(client);
  return { client, watched: guard(client, (access) => isAllowed(policies, access, tags)) };
}

const isData = ({ leadingKeys }: Access) => leadingKeys !== undefined;

/** Each way to make a policy smaller by one action or one resource of one statement. */
function smaller(policy: PolicyDocument): readonly (readonly [string, PolicyDocument])[] {
  return policy.Statement.flatMap((statement, index) => {
    const { Sid, Action, Resource } = statement;
    const less = (change: object) => ({
      ...policy,
      Statement: policy.Statement.with(index, { ...statement, ...change }),
    });
    return [
      ...Action.map(
        (gone) => [`${Sid} without ${gone}`, less({ Action: Action.filter((each) => each !== gone) })] as const,
      ),
      ...Resource.map(
        (gone) => [`${Sid} without ${gone}`, less({ Resource: Resource.filter((each) => each !== gone) })] as const,
      ),
    ];
  });
}

type Work = (application: Application, stream: StreamId) => Promise<unknown>;

const run = ({ commands }: Application, work: Run['work'], idempotencyKey?: string) =>
  CommandContext.run({ ...CommandContext.current(), ...(idempotencyKey && { idempotencyKey }) }, () =>
    commands.execute(new Run(work)),
  );
const members = ({ module }: Application) =>
  module.get<AggregateRepository<Member>>(getAggregateRepositoryToken(Member), { strict: false });
const storeOf = ({ module }: Application) => module.get(EventStore);

const REGISTERED = [new Registered('first@example.com'), new Registered('second@example.com')];

/** All that commands do. Each is tried, whatever became of those before it. */
const WRITING: readonly Work[] = [
  (application, { aggregateId }) =>
    run(application, async (all) => {
      const member = new Member(aggregateId);
      member.register('ada@example.com');
      all.add(member);
    }),
  (application, { aggregateId }) =>
    run(application, async (all) => (await all.load(aggregateId)).register('b@example.com'), 'once'),
  (application, { aggregateId }) => run(application, async (all) => (await all.load(aggregateId)).giveUp(), 'another'),
  (application) => run(application, async () => {}, 'nothing to store but this'),
  (application, stream) =>
    storeOf(application).append({ ...stream, aggregateId: 'appended' }, REGISTERED, { expectedVersion: 0 }),
];

/** All that is read of a tenant. */
const READING: readonly Work[] = [
  (application, { aggregateId }) => members(application).load(aggregateId),
  (application, { aggregateId }) => members(application).loadAt(aggregateId, { version: 1 }),
  (application, { aggregateId }) => members(application).loadAt(aggregateId, { time: new Date() }),
  (application, { aggregateId }) => collect(members(application).history(aggregateId)),
  (application, stream) => collect(storeOf(application).read(stream, { direction: 'backward' })),
  (application, { aggregateType }) => collect(storeOf(application).query({ aggregateType })),
  (application) => collect(storeOf(application).query({ userId: 'ada' })),
];

/** Runs an application behind these policies, and tells what became of each piece of work. */
async function perform(
  work: readonly Work[],
  aggregateId: string,
  { tenantId, tags }: Case,
  policies: readonly PolicyDocument[],
): Promise<Watched & { readonly outcomes: readonly unknown[] }> {
  const { client, watched } = clientOf(policies, tags);
  const application = await startApplication('dynamodb', {
    features: [Member],
    providers: [RunHandler],
    options: { client, tables, provision: false, snapshots: { wait: true } },
  });
  const tenant = tenantId === undefined ? {} : { tenantId };
  const stream = { ...tenant, aggregateType: 'member', aggregateId };
  const outcomes: unknown[] = [];
  for (const each of work) {
    const done = CommandContext.run({ ...tenant, userId: 'ada' }, () => each(application, stream));
    outcomes.push(
      await done.then(
        () => 'done',
        (error: unknown) => error,
      ),
    );
  }
  await application.close();
  return { ...watched, outcomes };
}

/** All that an operator does, the backups answered for, as DynamoDB Local has none. */
async function operate(operated: Case, policies: readonly PolicyDocument[], own = newTableNames()): Promise<Watched> {
  const { client, watched } = clientOf(policies, operated.tags);
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) =>
        commandName!.includes('ContinuousBackups')
          ? ({ response: {}, output: { $metadata: {} } } as never)
          : next(args),
    { step: 'deserialize', priority: 'high', name: 'backups' },
  );
  await provisionTables(client, own);
  const store = new DynamoDbEventStore({ client, tables: own, registry: new EventRegistry(), deadlineMs: 5000 });
  const tenant = operated.tenantId === undefined ? {} : { tenantId: operated.tenantId };
  const stream = { ...tenant, aggregateType: 'member', aggregateId: 'm' };
  const idempotency = { ...tenant, command: 'Run', key: 'once' };
  for (const expectedVersion of [NO_STREAM, ANY_VERSION] as const) {
    await store.outcomeOf({ commitId: 'c', appends: [{ stream, expectedVersion }] });
  }
  await store.outcomeOf({ commitId: 'c', appends: [], idempotency });
  return watched;
}

describe.each(CASES)('policies of %s', (name, one) => {
  const policy = (role: Role, scope: Scope) => policyFor(role, { tables, scope });
  const aggregateId = `member of ${name}`;

  /** Nothing in a policy may be left out. */
  function expectLeast(own: PolicyDocument, accesses: readonly Access[]): void {
    const enough = smaller(own).filter(([, less]) => accesses.every((access) => isAllowed([less], access, one.tags)));
    expect(enough.map(([what]) => what)).toEqual([]);
  }

  function expectRefusedBy(others: PolicyDocument, accesses: readonly Access[]): void {
    const data = accesses.filter(isData);
    expect(data.length).toBeGreaterThan(0);
    expect(data.filter((access) => isAllowed([others], access, one.tags))).toEqual([]);
  }

  it('let a writer do all that commands do, and no more', async () => {
    const own = policy('writer', one.scope);
    const { outcomes, accesses, refused } = await perform(WRITING, aggregateId, one, [own]);
    expect([outcomes, refused]).toEqual([WRITING.map(() => 'done'), []]);
    expectLeast(own, accesses);
    expectRefusedBy(policy('writer', one.other), accesses);
  });

  it('let a reader read all, and no more', async () => {
    const own = policy('reader', one.scope);
    const { outcomes, accesses, refused } = await perform(READING, aggregateId, one, [own]);
    expect([outcomes, refused]).toEqual([READING.map(() => 'done'), []]);
    expectRefusedBy(policy('reader', one.other), accesses);
    if (one.scope.kind === 'all-tenants') {
      const ofNone = await perform(READING.slice(-2), aggregateId, { scope: one.scope, other: one.other }, [own]);
      expect(ofNone.refused).toEqual([]);
      accesses.push(...ofNone.accesses);
    }
    expectLeast(own, accesses);
  });

  it('let an operator provision tables and settle outcomes, and no more', async () => {
    const own = newTableNames();
    const operator = policyFor('operator', { tables: own, scope: one.scope });
    const { accesses, refused } = await operate(one, [operator], own);
    expect(refused).toEqual([]);
    expectLeast(operator, accesses);
    expectRefusedBy(policyFor('operator', { tables: own, scope: one.other }), accesses);
  });

  it('of others refuse every piece of work', async () => {
    const others = (['writer', 'reader', 'operator'] as const).map((role) => policy(role, one.other));
    const { outcomes, accesses, refused } = await perform([...WRITING, ...READING], aggregateId, one, others);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 'EVENT_STORE_UNAVAILABLE' });
    expect(refused).toEqual(accesses.filter(isData));
  });
});

it('what a writer forges in the name of another tenant is not shown to that one', async () => {
  const { client } = clientOf([policyFor('writer', { tables, scope: { kind: 'tenant', tenantId: 'forger' } })]);
  const stream = { tenantId: 'robbed', aggregateType: 'member', aggregateId: 'm' };
  const event = {
    stream,
    version: 1,
    eventId: 'e',
    eventType: 'policies.GaveUp',
    schemaVersion: 1,
    eventTime: Date.now(),
    eventData: '{}',
    metadata: { userId: 'ada' },
    commitId: 'c',
    commitIndex: 0,
    commitSize: 1,
  };
  const document = DynamoDBDocumentClient.from(client);
  const put = (pk: string) => document.send(new PutCommand({ TableName: tables.events, Item: eventItem(event, pk) }));
  await expect(put(streamKey(stream))).rejects.toThrow('Not authorized');
  await put(streamKey({ ...stream, tenantId: 'forger' }));

  const registry = new EventRegistry().register(GaveUp);
  const store = new DynamoDbEventStore({ client: breakGlass, tables, registry, deadlineMs: 5000 });
  await CommandContext.run({ tenantId: 'robbed' }, async () => {
    await expect(collect(store.query({ aggregateType: 'member' }))).rejects.toThrow(CorruptStreamError);
    await expect(collect(store.query({ userId: 'ada' }))).rejects.toThrow(CorruptStreamError);
    expect(await collect(store.read(stream))).toEqual([]);
  });
});
