import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, Module } from '@nestjs/common';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { Type } from 'class-transformer';
import { IsIn, IsInt, Matches, ValidateNested } from 'class-validator';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ANY_VERSION,
  CommandContext,
  type Commit,
  EventStore,
  EventStoreError,
  EventStoreModule,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  NO_STREAM,
  On,
  provisionTables,
  type EventStoreModuleOptions,
  type StreamId,
} from '../src/index.js';
import { FAULTS, startFaultyProxy } from './campaigns/faulty-proxy.js';
import { collect } from './setup/collect.js';
import { breakGlassClient, newClient, newTableNames } from './setup/database.js';
import { Eavesdropper } from './setup/eavesdropper.js';

/** Stands for what nobody may read in a log. */
const SECRET = 'a cAnArY sings';
const SECRET_NUMBER = 4_815_162_342.5;
const SECRET_DATE = new Date('1815-12-10T01:02:03.456Z');

/** The secrets as they could be shown: as they are, as bytes, in parts of a text that was encoded. */
const SHAPES = [
  'cAnArY',
  Buffer.from('cAnArY').toString('hex'),
  [...Buffer.from('cAnArY')].join(', '),
  Buffer.from('cAnArY').toString('hex').replace(/../g, '$& ').trim(),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(' '.repeat(shift) + SECRET)
      .toString('base64')
      .slice(4, 12),
  ),
  '4815162342',
  '1815-12-10',
];

@EventType('quiet.Kept')
class Kept {
  constructor(
    readonly secret: unknown,
    readonly number = SECRET_NUMBER,
    readonly date = SECRET_DATE,
    readonly map: ReadonlyMap<unknown, unknown> = new Map([[SECRET, SECRET]]),
  ) {}
}

class Line {
  @IsInt() readonly amount: unknown = SECRET;
}

@EventType('quiet.Checked')
class Checked {
  @IsInt({ message: '$value is no number' }) readonly amount: unknown = SECRET;
  @IsIn(['a', 'b'], { message: '$value' }) readonly choice: unknown = SECRET;
  @Matches(/^a$/) readonly code: unknown = SECRET;
  @ValidateNested({ each: true }) @Type(() => Line) readonly lines: unknown = [{ amount: SECRET }];
  @ValidateNested({ each: true }) readonly map: unknown = new Map([[SECRET, new Line()]]);
  @ValidateNested({ each: true }) readonly set: unknown = new Set([SECRET]);
  @ValidateNested() readonly line: unknown = SECRET;
}

@Aggregate('vault', { snapshotEvery: 1 })
class Vault extends AggregateRoot {
  secrets: unknown[] = [];

  keep(secret: unknown): void {
    this.apply(new Kept(secret));
  }

  @On(Kept) protected onKept({ secret }: Kept): void {
    this.secrets.push(secret);
  }
}

/** Its snapshots cannot be stored. */
@Aggregate('leaky-vault', { snapshotEvery: 1 })
class LeakyVault extends Vault {
  toSnapshot(): object {
    return { secrets: this.secrets, broken: Object.assign(() => {}, { secret: SECRET }) };
  }

  fromSnapshot(): void {}
}

/** Its snapshots fail with an error that quotes them. */
@Aggregate('loud-vault', { snapshotEvery: 1 })
class LoudVault extends Vault {
  toSnapshot(): object {
    throw new Error(`This was ${String(this.secrets[0])}.`);
  }

  fromSnapshot(): void {}
}

const VAULTS = [Vault, LeakyVault, LoudVault] as const;

class Keep {
  constructor(
    readonly vault: (typeof VAULTS)[number],
    readonly id: string,
    readonly secret: unknown,
  ) {}
}

@CommandHandler(Keep)
class KeepHandler implements ICommandHandler<Keep> {
  private readonly repositories: readonly AggregateRepository<Vault>[];

  constructor(
    @InjectAggregateRepository(Vault) vaults: AggregateRepository<Vault>,
    @InjectAggregateRepository(LeakyVault) leaky: AggregateRepository<LeakyVault>,
    @InjectAggregateRepository(LoudVault) loud: AggregateRepository<LoudVault>,
  ) {
    this.repositories = [vaults, leaky, loud];
  }

  async execute({ vault: vaultClass, id, secret }: Keep): Promise<unknown> {
    const repository = this.repositories[VAULTS.indexOf(vaultClass)]!;
    const vault = (await repository.find(id)) ?? new vaultClass(id);
    vault.keep(secret);
    repository.add(vault);
    return secret;
  }
}

@Module({})
class VaultModule {}

const old = streamOf('old');

/** What is there before. It holds a unique value. */
const OLD: Commit = {
  appends: [{ stream: old, events: [new Kept(SECRET), new Kept(SECRET)], expectedVersion: NO_STREAM }],
  unique: [{ stream: old, action: 'reserve', constraint: 'code', value: SECRET }],
};

interface Application {
  readonly store: EventStore;
  readonly commands: CommandBus;
  readonly vaults: AggregateRepository<Vault>;
  close(): Promise<void>;
}

describe('what a payload holds', () => {
  const tables = newTableNames();
  let ear: Eavesdropper;
  let clean: DynamoDBClient;
  let ids = 0;

  beforeAll(async () => {
    clean = newClient();
    await provisionTables(clean, tables);
    const application = await start({ client: clean, tables });
    await application.store.commit(OLD);
    await application.close();
  });

  beforeEach(() => {
    ear = new Eavesdropper();
    Logger.overrideLogger(ear);
    ear.start();
  });

  afterEach(() => {
    ear.stop();
    Logger.overrideLogger(false);
  });

  afterAll(() => clean.destroy());

  async function start(options: EventStoreModuleOptions): Promise<Application> {
    const module = await Test.createTestingModule({
      imports: [
        CqrsModule.forRoot(),
        EventStoreModule.forRoot({ ...options, snapshots: { wait: true } }),
        { module: VaultModule, imports: [EventStoreModule.forFeature([...VAULTS, Checked])], providers: [KeepHandler] },
      ],
    }).compile();
    // `compile` puts a logger of its own in place.
    if (ear) Logger.overrideLogger(ear);
    await module.init();
    return {
      store: module.get(EventStore, { strict: false }),
      commands: module.get(CommandBus, { strict: false }),
      vaults: module.get<AggregateRepository<Vault>>(getAggregateRepositoryToken(Vault), { strict: false }),
      close: () => module.close(),
    };
  }

  const newId = () => `q-${++ids}`;

  /** Everything that can be asked of the store, with secrets wherever a payload may be. */
  function operations({ store, commands, vaults }: Application): Promise<unknown>[] {
    const kept = [new Kept(SECRET)];
    const metadata = { note: SECRET, userId: SECRET };
    const vault = new Vault(newId());
    vault.keep(SECRET);
    const another = streamOf(newId());
    const [onceId, key] = [newId(), newId()];
    const keepOnce = (secret: unknown) =>
      CommandContext.run({ idempotencyKey: key }, () => commands.execute(new Keep(Vault, onceId, secret)));
    return [
      store.append(streamOf(newId()), kept, { expectedVersion: NO_STREAM, metadata }),
      store.append(streamOf(newId()), [...kept, ...kept], { expectedVersion: NO_STREAM, metadata }),
      store.append(old, kept, { expectedVersion: NO_STREAM }),
      store.append(old, [...kept, ...kept], { expectedVersion: 1 }),
      store.append(streamOf(newId()), kept, { expectedVersion: ANY_VERSION }),
      store.commit({
        appends: [streamOf(newId()), streamOf(newId())].map((stream) => ({ stream, events: kept, expectedVersion: 0 })),
      }),
      store.commit({
        appends: [{ stream: another, events: kept, expectedVersion: NO_STREAM }],
        unique: [{ stream: another, action: 'reserve', constraint: 'code', value: SECRET }],
      }),
      keepOnce(SECRET),
      keepOnce(SECRET)
        .then(() => keepOnce([SECRET]))
        .then(() => {}),
      store.findIdempotencyRecord({ command: 'Keep', key: 'once' }),
      collect(store.query({ aggregateType: 'vault' }, { limit: 5 })),
      collect(store.query({ userId: SECRET }, { limit: 5 })),
      collect(store.read(old)),
      collect(store.read(old, { direction: 'backward' })),
      store.readSinceSnapshot(old, 5).then(({ events }) => collect(events)),
      store.saveSnapshot(old, { version: 2, eventTime: 1, snapshotVersion: 1, state: `{"state":["${SECRET}"]}` }),
      store.outcomeOf({ commitId: 'c', appends: [{ stream: old, expectedVersion: 0 }] }),
      ...VAULTS.map((vaultClass) =>
        CommandContext.run({ userId: SECRET, note: SECRET }, () =>
          commands.execute(new Keep(vaultClass, newId(), SECRET)),
        ),
      ),
      vaults.find(old.aggregateId),
      vaults.exists(old.aggregateId),
      vaults.loadAt(old.aggregateId, { version: 1 }),
      collect(vaults.history(old.aggregateId)),
      vaults.save(vault),
    ];
  }

  /** Waits for all, listens to their errors, and tells how many there were. */
  async function failuresOf(running: readonly Promise<unknown>[]): Promise<number> {
    let failures = 0;
    for (const result of await Promise.allSettled(running)) {
      if (result.status === 'fulfilled') continue;
      const error = result.reason as Error;
      if (!(error instanceof EventStoreError)) throw error;
      ear.hearError(error);
      failures++;
    }
    return failures;
  }

  const leaks = () =>
    ear.heard.filter((text) => SHAPES.some((shape) => text.includes(shape))).map((text) => text.slice(0, 300));

  /** Runs all operations while their requests go to another server. */
  async function failuresAt(upstream: string, fault?: (typeof FAULTS)[number]): Promise<number> {
    const client = newClient({ maxAttempts: 2 });
    const application = await start({ client, tables, deadlineMs: 300, conflictRetries: 0 });
    const proxy = await startFaultyProxy(upstream, { choose: () => fault, lateMs: 20 });
    proxy.route(client);
    const failures = await failuresOf(operations(application));
    await application.close();
    await proxy.close();
    client.destroy();
    return failures;
  }

  it('is seen by this test, wherever it is told', () => {
    const cause = Object.assign(new Error('none'), { hidden: { deep: [Buffer.from(SECRET)] } });
    for (const said of [
      () => ear.hearError(new Error('none', { cause })),
      () => ear.hearError(new Error(SECRET)),
      () => console.warn({ deep: [SECRET_NUMBER] }),
      () => process.stderr.write(`${inspect(SECRET_DATE)}\n`),
      () => new Logger('Test').error('none', SECRET),
    ]) {
      ear.heard.splice(0);
      said();
      expect(leaks()).not.toEqual([]);
    }
  });

  it.each(['memory', 'dynamodb'] as const)('is not told when all is well (%s)', async (storage) => {
    const application = await start(storage === 'memory' ? { storage } : { client: clean, tables });
    if (storage === 'memory') await application.store.commit(OLD);
    // Two find the stream further on, one value is taken, and one key was used for another body.
    expect(await failuresOf(operations(application))).toBe(4);
    // Two vaults have snapshots that cannot be taken.
    expect(ear.heard.filter((text) => text.includes('was not written'))).toHaveLength(2);
    expect(leaks()).toEqual([]);
    await application.close();
  });

  it('is not told by any fault of network or server', async () => {
    for (let first = 0; first < FAULTS.length; first += 10) {
      const faults = FAULTS.slice(first, first + 10);
      await Promise.all(faults.map((fault) => failuresAt(process.env.DYNAMODB_ENDPOINT!, fault)));
    }
    expect(ear.heard.filter((text) => text.includes('CommitOutcomeUnknownError'))).not.toEqual([]);
    expect(ear.heard.filter((text) => text.includes('EventStoreUnavailableError'))).not.toEqual([]);
    expect(leaks()).toEqual([]);
  }, 60_000);

  describe('is not told when the server quotes what was sent', () => {
    const names = [
      'ValidationException',
      'AccessDeniedException',
      'SerializationException',
      'ResourceNotFoundException',
      'UnrecognizedClientException',
      'ConditionalCheckFailedException',
      'TransactionCanceledException',
      'TransactionInProgressException',
      'ThrottlingException',
      'ItemCollectionSizeLimitExceededException',
      'InternalServerError',
      'Oops',
      SECRET,
    ];
    const refusal = (name: string, said: string) => ({
      __type: `com.amazonaws.dynamodb.v20120810#${name}`,
      message: said,
      Message: said,
      code: said,
      detail: { said },
      Item: { pk: { S: said }, commitId: { S: said }, eventData: { S: said } },
      CancellationReasons: [{ Code: 'ValidationError', Message: said, Item: { pk: { S: said } } }],
    });
    const damaged = (said: string) => ({
      Items: [{ pk: { S: '#vault#old' }, sk: { N: '1' }, eventType: { S: said } }],
      Count: 1,
    });

    const answers: readonly (readonly [number, (said: string) => string])[] = [
      ...names.map((name) => [400, (said: string) => JSON.stringify(refusal(name, said))] as const),
      ...['InternalServerError', SECRET].map(
        (name) => [500, (said: string) => JSON.stringify(refusal(name, said))] as const,
      ),
      [200, (said) => `<p>${said}`],
      [200, (said) => JSON.stringify(said)],
      [200, (said) => JSON.stringify(refusal('Oops', said))],
      [200, (said) => JSON.stringify(damaged(said))],
      [200, (said) => JSON.stringify(damaged(said)).slice(0, -9)],
      [200, (said) => JSON.stringify({ Items: [{ pk: { N: said } }], Count: 1 })],
      [302, (said) => said],
    ];

    it('in any answer', async () => {
      let [status, answer] = answers[0]!;
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const body = answer(`${SECRET} ${SECRET_NUMBER} ${Buffer.concat(chunks).toString()}`);
          response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', location: '/?cAnArY' });
          response.end(body);
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const client = newClient({ maxAttempts: 1 });
      const application = await start({ client, tables, deadlineMs: 400, conflictRetries: 0 });
      const proxy = await startFaultyProxy(upstream, { choose: () => undefined });
      proxy.route(client);
      for ([status, answer] of answers) {
        expect(await failuresOf(operations(application))).toBeGreaterThan(10);
      }
      await application.close();
      await proxy.close();
      client.destroy();
      server.closeAllConnections();
      server.close();

      for (const name of ['AccessDeniedException', 'SerializationException', 'ValidationException', 'Oops']) {
        expect(ear.heard.filter((text) => text.includes(`was refused with ${name}`))).not.toEqual([]);
      }
      expect(leaks()).toEqual([]);
    }, 60_000);
  });

  describe.each(['memory', 'dynamodb'] as const)('is not told of what is refused (%s)', (storage) => {
    class Foreign {
      readonly secret = SECRET;
      toJSON(): never {
        throw new TypeError('toJSON was called');
      }
    }
    const circular: Record<string, unknown> = { secret: SECRET };
    circular.self = circular;
    const hidden = Object.defineProperty({ seen: SECRET }, 'hidden', { value: SECRET });
    const values: [string, unknown][] = [
      ['a function', Object.assign(() => SECRET, { secret: SECRET })],
      ['a symbol', Symbol(SECRET)],
      ['a symbol key', { [Symbol(SECRET)]: SECRET }],
      ['a number beside secrets', [SECRET, Number.NaN]],
      ['an instance', new Foreign()],
      ['an instance of no real class', Object.create({ constructor: { name: SECRET } })],
      ['an error', new Error(SECRET)],
      ['a promise', Promise.resolve(SECRET)],
      ['a lone surrogate', `${SECRET}\ud800`],
      ['a key of a map', new Map([[`${SECRET}\ud800`, SECRET]])],
      ['a value in a map', new Map([[SECRET, Symbol(SECRET)]])],
      ['a value in a set', new Set([SECRET, Symbol(SECRET)])],
      ['a circle', circular],
      ['a hidden property', hidden],
      [
        'a getter',
        {
          get secret() {
            return SECRET;
          },
        },
      ],
      ['an array with a name', Object.assign([SECRET], { secret: SECRET })],
      ['bytes with a name', Object.assign(Buffer.from(SECRET), { secret: SECRET })],
      ['a date with a name', Object.assign(new Date(SECRET_DATE), { secret: SECRET })],
      ['a boxed string', new String(SECRET)],
      ['a weak reference', new WeakRef({ secret: SECRET })],
      ['an array buffer', Buffer.from(SECRET).buffer],
      ['a proxy', new Proxy(new Foreign(), {})],
    ];

    it.each(values)('%s', async (_, value) => {
      const application = await start(storage === 'memory' ? { storage } : { client: clean, tables });
      const { store, commands } = application;
      const append = { expectedVersion: NO_STREAM };
      const failures = await failuresOf([
        store.append(streamOf(newId()), [new Kept(value)], append),
        store.append(streamOf(newId()), [new Kept({ in: [{ here: value }] })], append),
        commands.execute(new Keep(Vault, newId(), value)),
      ]);
      expect(failures).toBe(3);
      expect(leaks()).toEqual([]);
      await application.close();
    });

    it('events and metadata', async () => {
      const application = await start(storage === 'memory' ? { storage } : { client: clean, tables });
      const { store } = application;
      const at = { expectedVersion: NO_STREAM };
      const kept = [new Kept(SECRET)];
      const wrong = SECRET as never;
      const wanted = [
        store.append(streamOf(newId()), [new Checked()], at),
        store.append(streamOf(newId()), [{ secret: SECRET }], at),
        store.append(streamOf(newId()), [new Kept('x'.repeat(10)), Object.assign(new Map(), { secret: SECRET })], at),
        store.append(streamOf(newId()), Array<object>(101).fill(kept[0]!), at),
        store.append(streamOf(newId()), [new Kept(SECRET + randomText(900_000))], at),
        store.append(streamOf(newId()), kept, { ...at, metadata: { note: `${SECRET}\ud800` } }),
        store.append(streamOf(newId()), kept, { ...at, metadata: { userId: SECRET.repeat(200) } }),
        store.append(streamOf(newId()), kept, { ...at, metadata: { note: { secret: SECRET } as never } }),
        store.append(streamOf(newId()), kept, { expectedVersion: wrong }),
        store.append({ aggregateType: 'quiet', aggregateId: { secret: SECRET } as never }, kept, at),
        store.commit({ commitId: `${SECRET}\n`, appends: [{ stream: streamOf(newId()), events: kept, ...at }] }),
      ];
      expect(await failuresOf(wanted)).toBe(wanted.length);
      expect(leaks()).toEqual([]);
      await application.close();
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['text that is no JSON', { eventData: SECRET }],
    ['JSON of another kind', { eventData: JSON.stringify([SECRET]) }],
    ['a kind of value that is none', { eventData: `{"secret":{"$":7,"v":"${SECRET}"}}` }],
    ['a big integer that is none', { eventData: `{"secret":{"$":"bigint","v":"${SECRET}"}}` }],
    ['a map that is none', { eventData: `{"secret":{"$":"map","v":["${SECRET}"]}}` }],
    ['a number in place of text', { eventData: 4_815_162_342 }],
    ['deflated bytes that are none', { eventData: Buffer.from(SECRET), encoding: 'deflate-raw' }],
    ['an unknown encoding', { encoding: SECRET }],
    ['damaged metadata', { metadata: `{"note":"${SECRET}` }],
    ['metadata that is no text', { userId: { secret: SECRET } }],
    ['a time that is none', { eventTime: SECRET }],
    ['a version that is none', { schemaVersion: SECRET }],
    ['a later version', { schemaVersion: 99, eventData: `{"secret":"${SECRET}"}` }],
    ['a commit that is none', { commitId: { secret: SECRET }, commitSize: SECRET }],
    ['half a commit', { commitSize: 3, eventData: `{"secret":"${SECRET}"}` }],
    ['a damaged state', { state: SECRET, snapshotVersion: 1, stateChecksum: SECRET }],
  ])('is not told by a stored item with %s', async (_, damage) => {
    const breakGlass = breakGlassClient();
    const documents = DynamoDBDocumentClient.from(breakGlass, { marshallOptions: { removeUndefinedValues: true } });
    const application = await start({ client: clean, tables, deadlineMs: 1000 });
    const { store, commands, vaults } = application;
    for (const checksum of ['checked', 'without a checksum', 'with another checksum']) {
      const stream = streamOf(newId());
      await store.append(stream, [new Kept(SECRET)], { expectedVersion: NO_STREAM });
      const key = { pk: `#${stream.aggregateType}#${stream.aggregateId}`, sk: 1 };
      const { Item } = await documents.send(new GetCommand({ TableName: tables.events, Key: key }));
      const Damaged = {
        ...Item,
        ...damage,
        ...(checksum === 'without a checksum' && { checksum: undefined }),
        ...(checksum === 'with another checksum' && { checksum: SECRET }),
      };
      await documents.send(new PutCommand({ TableName: tables.events, Item: Damaged }));
      const id = stream.aggregateId;
      const reads = await failuresOf([
        collect(store.read(stream)),
        store.readSinceSnapshot(stream, 5).then(({ events }) => collect(events)),
        store.readSinceSnapshot(stream, 0).then(({ events }) => collect(events)),
        store.append(stream, [new Kept(SECRET)], { expectedVersion: 7 }),
        store.append(stream, [new Kept(SECRET)], { expectedVersion: NO_STREAM }),
        store.outcomeOf({ commitId: 'c', appends: [{ stream, expectedVersion: 0 }] }),
        commands.execute(new Keep(Vault, id, SECRET)),
        vaults.find(id),
        vaults.exists(id),
        collect(vaults.history(id)),
      ]);
      expect(reads).toBeGreaterThan(0);
    }
    expect(leaks()).toEqual([]);
    await application.close();
    breakGlass.destroy();
  });
});

function streamOf(aggregateId: string): StreamId {
  return { aggregateType: 'vault', aggregateId };
}

function randomText(characters: number): string {
  return Array.from({ length: characters }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
}
