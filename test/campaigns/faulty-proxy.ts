import { once } from 'node:events';
import {
  Agent as HttpAgent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';

/**
 * What can go wrong with one HTTP request. `…-before`: DynamoDB never sees it. `…-after`: DynamoDB does the work, and
 * the client does not get its answer.
 */
export const FAULTS = [
  'reset-before',
  'reset-after',
  'error-500-before',
  'error-500-after',
  'error-503-before',
  'error-503-after',
  'gateway-502-before',
  'gateway-502-after',
  'empty-408-before',
  'empty-408-after',
  'json-403-before',
  'json-403-after',
  'throughput-exceeded',
  'throttled',
  'request-limit-exceeded',
  'transaction-conflict',
  'transaction-throttled',
  'transaction-throughput-exceeded',
  'transaction-in-progress',
  'access-denied',
  'hang-before',
  'hang-after',
  /** The answer comes, but late. */
  'late-answer',
  /** The request reaches DynamoDB late, even when the client has given up by then. */
  'late-request',
  /** The body stops in the middle, and Content-Length agrees with that. */
  'truncated-body',
  /** The connection closes before all that Content-Length promised has come. */
  'short-body',
  'html-200-before',
  'html-200-after',
  'empty-200-before',
  'empty-200-after',
  'braces-200-before',
  'braces-200-after',
  /** DynamoDB gets the request twice; the client gets the second answer. */
  'duplicated',
  /** The same, with the first answer. */
  'duplicated-behind',
] as const;

export type Fault = (typeof FAULTS)[number];

/** A request on its way, for choosing its fault. */
export interface ProxiedRequest {
  /** Such as `PutItem`. */
  readonly operation: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FaultyProxy {
  /** For a client in another process, of a DynamoDB Local: it checks no signatures. */
  readonly endpoint: string;
  /** Sends the requests of a client through the proxy, with these headers on top. */
  route(client: DynamoDBClient, headers?: Readonly<Record<string, string>>): void;
  /** Requests seen so far. */
  readonly requests: number;
  /** Connections to DynamoDB that wait for the next request. */
  readonly idleConnections: number;
  /** Waits until all that is on its way to DynamoDB has arrived there, late ones too. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface FaultyProxyOptions {
  /** The fault of a request; none lets it pass. */
  readonly choose: (request: ProxiedRequest) => Fault | undefined;
  /** How late late ones are; default 300. */
  readonly lateMs?: number;
}

/** An HTTP proxy on loopback before DynamoDB, which injects faults. */
export async function startFaultyProxy(endpoint: string, options: FaultyProxyOptions): Promise<FaultyProxy> {
  const { choose, lateMs = 300 } = options;
  const upstream = new URL(endpoint);
  const agent = new (upstream.protocol === 'https:' ? HttpsAgent : HttpAgent)({ keepAlive: true });
  const closing = new AbortController();
  const handling = new Set<Promise<void>>();
  let requests = 0;

  const server = createServer((request, response) => {
    requests++;
    response.on('error', () => {});
    const handled = handle(request, response)
      .catch(() => void response.destroy())
      .finally(() => handling.delete(handled));
    handling.add(handled);
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const operation = String(request.headers['x-amz-target']).split('.').at(-1)!;
    const fault = choose({ operation, headers: request.headers });
    const forward = () => forwarded(upstream, agent, request, body);
    if (fault === undefined) return pass(response, await forward());

    if (fault.endsWith('-after')) await forward();
    switch (fault) {
      case 'reset-before':
      case 'reset-after':
        return reset(request.socket);
      case 'error-500-before':
      case 'error-500-after':
        return fail(response, 500, 'InternalServerError');
      case 'error-503-before':
      case 'error-503-after':
        return fail(response, 503, 'ServiceUnavailable');
      case 'gateway-502-before':
      case 'gateway-502-after':
        return answer(response, 502, HTML, 'text/html');
      case 'empty-408-before':
      case 'empty-408-after':
        return answer(response, 408, '');
      case 'json-403-before':
      case 'json-403-after':
        return answer(response, 403, '{"message":"Forbidden"}', 'application/json');
      case 'throughput-exceeded':
        return fail(response, 400, 'ProvisionedThroughputExceededException');
      case 'throttled':
        return fail(response, 400, 'ThrottlingException');
      case 'request-limit-exceeded':
        return fail(response, 400, 'RequestLimitExceeded');
      case 'transaction-conflict':
        return operation === 'TransactWriteItems'
          ? cancel(response, body, 'TransactionConflict')
          : fail(response, 400, 'TransactionConflictException');
      case 'transaction-throttled':
        return operation === 'TransactWriteItems'
          ? cancel(response, body, 'ThrottlingError')
          : fail(response, 400, 'ThrottlingException');
      case 'transaction-throughput-exceeded':
        return operation === 'TransactWriteItems'
          ? cancel(response, body, 'ProvisionedThroughputExceeded')
          : fail(response, 400, 'ProvisionedThroughputExceededException');
      case 'transaction-in-progress':
        return fail(response, 400, 'TransactionInProgressException');
      case 'access-denied':
        return fail(response, 400, 'AccessDeniedException');
      case 'hang-before':
      case 'hang-after':
        return;
      case 'late-answer': {
        const result = await forward();
        await sleep(lateMs, undefined, { signal: closing.signal });
        return pass(response, result);
      }
      case 'late-request':
        await sleep(lateMs, undefined, { signal: closing.signal });
        return pass(response, await forward());
      case 'truncated-body': {
        const { status, headers, body: whole } = await forward();
        return pass(response, { status, headers, body: whole.subarray(0, whole.length / 2) });
      }
      case 'short-body': {
        const { status, headers, body: whole } = await forward();
        response.writeHead(status, { ...headers, 'content-length': whole.length });
        response.write(whole.subarray(0, whole.length / 2), () => request.socket.destroy());
        return;
      }
      case 'html-200-before':
      case 'html-200-after':
        return answer(response, 200, HTML, 'text/html');
      case 'empty-200-before':
      case 'empty-200-after':
        return answer(response, 200, '');
      case 'braces-200-before':
      case 'braces-200-after':
        return answer(response, 200, '{}');
      case 'duplicated':
        await forward();
        return pass(response, await forward());
      case 'duplicated-behind':
        pass(response, await forward());
        await forward();
        return;
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    endpoint: `http://127.0.0.1:${port}`,
    route: (client, headers = {}) => routeTo(client, port, headers),
    get requests() {
      return requests;
    },
    get idleConnections() {
      return idleConnections(agent);
    },
    settled: async () => {
      while (handling.size > 0) await Promise.all(handling);
    },
    close: async () => {
      closing.abort();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      agent.destroy();
    },
  };
}

/** How many connections of an agent wait for the next request. */
export function idleConnections({ freeSockets }: HttpAgent): number {
  return Object.values(freeSockets).reduce((sum, sockets = []) => sum + sockets.length, 0);
}

const HTML = '<!doctype html><title>Sorry</title><p>This is a proxy speaking.</p>';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function forwarded(
  upstream: URL,
  agent: HttpAgent | HttpsAgent,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const send = upstream.protocol === 'https:' ? httpsRequest : httpRequest;
  const outgoing = send(new URL(url!, upstream), { method: method!, headers, agent });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const { 'transfer-encoding': _, 'content-length': __, connection: ___, ...kept } = response.headers;
  return {
    status: response.statusCode!,
    headers: kept as Record<string, string>,
    body: await bodyOf(response),
  };
}

/** A socket that the client has left is closing already; a reset of it would leave its handle open for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

function pass(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

function answer(response: ServerResponse, status: number, body: string, type = 'application/x-amz-json-1.0'): void {
  pass(response, { status, headers: { 'content-type': type }, body: Buffer.from(body) });
}

function fail(response: ServerResponse, status: number, name: string, more: object = {}): void {
  answer(
    response,
    status,
    JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: name, ...more }),
  );
}

/** A cancelled transaction, for a reason that the last of its items has. */
function cancel(response: ServerResponse, body: Buffer, code: string): void {
  const { TransactItems } = JSON.parse(body.toString()) as { TransactItems: unknown[] };
  const CancellationReasons = TransactItems.map((_, index) => ({
    Code: index === TransactItems.length - 1 ? code : 'None',
  }));
  fail(response, 400, 'TransactionCanceledException', { CancellationReasons });
}

/** Changes where requests go after they are signed, so that the signature stays that for DynamoDB. */
function routeTo(client: DynamoDBClient, port: number, more: Readonly<Record<string, string>>): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const signed = args.request as { headers: Record<string, string> };
      const copy = Object.create(Object.getPrototypeOf(signed) as object) as object;
      const headers = { ...signed.headers, ...more };
      const request = Object.assign(copy, signed, { headers, protocol: 'http:', hostname: '127.0.0.1', port });
      return next({ ...args, request });
    },
    { step: 'deserialize', priority: 'low', name: 'throughFaultyProxy', override: true },
  );
}
