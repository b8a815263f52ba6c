import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, Req, UseInterceptors, type INestApplication } from '@nestjs/common';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload,
  Server,
  Transport,
  type ClientProxy,
  type CustomTransportStrategy,
  type MessageHandler,
} from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { defer, firstValueFrom, isObservable, of } from 'rxjs';
import {
  CommandContext,
  CommandContextInterceptor,
  EventStoreModule,
  type CommandContextSources,
  type CommandContextValues,
} from '../../src/index.js';

interface UserRequest {
  readonly user?: { readonly id: string; readonly tenant: string };
  readonly headers: Record<string, string>;
}

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

@UseInterceptors(CommandContextInterceptor)
@Controller()
class ContextController {
  @Get() current(): CommandContextValues {
    return CommandContext.current();
  }

  @Post() async later(@Req() _request: UserRequest): Promise<CommandContextValues> {
    await new Promise((resolve) => setImmediate(resolve));
    return CommandContext.current();
  }

  @MessagePattern('current') message(@Payload() _data: unknown): CommandContextValues {
    return CommandContext.current();
  }
}

/** Hands messages to the handlers with the context of whatever broker a test plays. */
class PlayedBroker extends Server implements CustomTransportStrategy {
  listen(started: () => void): void {
    started();
  }
  close(): void {}
  on(): never {
    throw new Error('Not played.');
  }
  unwrap(): never {
    throw new Error('Not played.');
  }

  async deliver(pattern: string, data: unknown, context: unknown): Promise<unknown> {
    const handler = this.messageHandlers.get(pattern) as MessageHandler;
    const answer = (await handler(data, context)) as unknown;
    return isObservable(answer) ? firstValueFrom(answer) : answer;
  }
}

describe('CommandContextInterceptor', () => {
  let application: INestApplication;
  let url: string;
  let client: ClientProxy;
  const broker = new PlayedBroker();

  beforeAll(async () => {
    application = await NestFactory.create(
      {
        module: class ContextModule {},
        controllers: [ContextController],
        imports: [
          CqrsModule.forRoot(),
          EventStoreModule.forRoot({
            storage: 'memory',
            commandContext: {
              userId: (request: UserRequest & { by?: string }) => request.by ?? request.headers?.['x-user'],
              tenantId: (_request, context) => (context.getType() === 'http' ? 'acme' : null),
              values: (_request, context) => ({ handler: context.getHandler().name }),
            },
          }),
        ],
      },
      { logger: false },
    );
    const tcp = application.connectMicroservice(
      { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } },
      { inheritAppConfig: true },
    );
    application.connectMicroservice({ strategy: broker });
    await application.startAllMicroservices();
    await application.listen(0, '127.0.0.1');
    url = await application.getUrl();
    const { port } = tcp.unwrap<{ address(): { port: number } }>().address();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  });

  afterAll(async () => {
    await client.close();
    await application.close();
  });

  async function get(headers: Record<string, string>, method = 'GET') {
    const response = await fetch(url, { headers, method });
    return {
      status: response.status,
      correlationId: response.headers.get('x-correlation-id'),
      context: (await response.json()) as CommandContextValues & { message?: string },
    };
  }

  it('reads headers, user and tenant of a request, and answers with the correlation id', async () => {
    const headers = {
      'X-Correlation-Id': 'c-1',
      'Idempotency-Key': 'k-1',
      'X-User': 'ada',
      traceparent: TRACEPARENT,
    };
    for (const [method, handler] of [
      ['GET', 'current'],
      ['POST', 'later'],
    ] as const) {
      const { context, correlationId } = await get(headers, method);
      expect(context).toEqual({
        correlationId: 'c-1',
        idempotencyKey: 'k-1',
        userId: 'ada',
        tenantId: 'acme',
        traceparent: TRACEPARENT,
        handler,
      });
      expect(correlationId).toBe('c-1');
    }
  });

  it('makes a correlation id of its own for each request without a usable one', async () => {
    const sent = [{}, {}, { 'x-correlation-id': 'x'.repeat(256) }, { 'x-correlation-id': 'a b' }];
    const answers = await Promise.all(sent.map((headers) => get(headers as Record<string, string>)));
    const ids = answers.map(({ context, correlationId }) => {
      expect(context.correlationId).toBe(correlationId);
      return correlationId;
    });
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    'nonsense',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    `ff${TRACEPARENT.slice(2)}`,
    TRACEPARENT.toUpperCase(),
    TRACEPARENT.slice(0, -1),
  ])('goes on without the traceparent %p', async (traceparent) => {
    expect((await get({ traceparent })).context).not.toHaveProperty('traceparent');
  });

  it('takes an idempotency key in quotes, and refuses one that cannot be a key', async () => {
    expect((await get({ 'Idempotency-Key': '"k-1"' })).context.idempotencyKey).toBe('k-1');
    for (const key of ['', '""', 'a b', 'x'.repeat(256)]) {
      const { status, context } = await get({ 'Idempotency-Key': key });
      expect([status, context.message]).toEqual([400, expect.stringContaining('Idempotency-Key')]);
    }
  });

  it('reads what the data of a message says, over TCP', async () => {
    const context = await firstValueFrom(client.send<CommandContextValues>('current', { by: 'ada' }));
    expect(context).toEqual({ correlationId: expect.any(String), userId: 'ada', handler: 'message' });
  });

  it.each([
    [
      'Kafka',
      { getMessage: () => ({ headers: { 'X-Correlation-Id': Buffer.from('c-9'), traceparent: TRACEPARENT } }) },
    ],
    [
      'RabbitMQ',
      { getMessage: () => ({ properties: { headers: { 'x-correlation-id': 'c-9', traceparent: TRACEPARENT } } }) },
    ],
    [
      'NATS',
      {
        getHeaders: () => natsHeaders({ 'X-Correlation-Id': 'c-9', traceparent: TRACEPARENT }),
      },
    ],
    ['gRPC', { get: (name: string) => ({ 'x-correlation-id': ['c-9'], traceparent: [TRACEPARENT] })[name] ?? [] }],
    [
      'MQTT 5',
      {
        getPacket: () => ({
          properties: { userProperties: { 'x-correlation-id': ['c-9'], traceparent: TRACEPARENT } },
        }),
      },
    ],
  ])('reads the headers of a message from %s', async (_, context) => {
    const values = await broker.deliver('current', {}, context);
    expect(values).toEqual({ correlationId: 'c-9', traceparent: TRACEPARENT, handler: 'message' });
  });

  it('knows an idempotency key of a message however it is written, and refuses one that is no text', async () => {
    const delivered = (headers: object) =>
      broker.deliver('current', {}, { getMessage: () => ({ properties: { headers } }) });
    expect(await delivered({ 'Idempotency-Key': 4711 })).toMatchObject({ idempotencyKey: '4711' });
    expect(await delivered({ 'idempotency-key': [Buffer.from('k-1')] })).toMatchObject({ idempotencyKey: 'k-1' });
    expect(await delivered({ 'idempotency-key': null })).not.toHaveProperty('idempotencyKey');
    for (const key of [{ id: 1 }, true, '']) {
      await expect(delivered({ 'idempotency-key': key })).rejects.toMatchObject({ status: 'error' });
    }
    const nats = { getHeaders: () => natsHeaders({ 'Idempotency-Key': 'k-1' }) };
    expect(await broker.deliver('current', {}, nats)).toMatchObject({ idempotencyKey: 'k-1' });
  });

  /** What a handler sees behind an interceptor with sources of its own. */
  function seenBehind(sources: CommandContextSources, type: string, args: readonly unknown[]) {
    const context = new ExecutionContextHost([...args]);
    context.setType(type);
    const next = { handle: () => defer(() => of(CommandContext.current())) };
    return firstValueFrom(new CommandContextInterceptor(sources).intercept(context, next));
  }

  it('can be made with sources of its own', async () => {
    const seen = CommandContext.run({ correlationId: 'outer' }, () => seenBehind({ userId: () => 'eve' }, 'rpc', [{}]));
    expect(await seen).toEqual({ correlationId: 'outer', userId: 'eve' });
  });

  it('lets no value that is left open take away another', async () => {
    const sources = {
      tenantId: () => 'acme',
      values: () => ({ tenantId: undefined, correlationId: undefined, region: 'eu' }) as never,
    };
    const seen = await seenBehind(sources, 'http', [{ headers: { 'x-correlation-id': 'c-1' } }, {}]);
    expect(seen).toEqual({ correlationId: 'c-1', tenantId: 'acme', region: 'eu' });
  });

  it.each([
    ['graphql', [undefined, {}, { req: { headers: { 'idempotency-key': 'k-1' } } }, {}]],
    ['ws', [{ id: 'socket' }, { get: 'x' }, 'pattern']],
  ])('is not there for a handler of %s', async (type, args) => {
    const sources: CommandContextSources = { userId: ({ headers }: UserRequest) => headers['x-user'] };
    const seen = CommandContext.run({ userId: 'ada' }, () => seenBehind(sources, type, args));
    expect(await seen).toEqual({ userId: 'ada' });
  });

  it('goes on without headers where the context of a transport has another form', async () => {
    for (const context of [{ get: 'x', getMessage: 1 }, 'x', null]) {
      expect(await broker.deliver('current', {}, context)).toEqual({
        correlationId: expect.any(String),
        handler: 'message',
      });
    }
  });
});

/** As nats.js has them: names as they were sent, and an empty text for a name that is not there. */
function natsHeaders(headers: Record<string, string>): object {
  return { keys: () => Object.keys(headers), get: (name: string) => headers[name] ?? '' };
}
