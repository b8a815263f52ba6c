import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cancellationReasons, failureKind, failureName } from '../../src/dynamodb/failure.js';

const unnamed = (httpStatusCode: number, name = 'Unknown') => ({
  name,
  $fault: httpStatusCode < 500 ? 'client' : 'server',
  $metadata: { httpStatusCode },
});
const refusal = (name: string, httpStatusCode = 400) => ({
  ...unnamed(httpStatusCode, name),
  $fault: 'client',
  __type: `com.amazonaws.dynamodb.v20120810#${name}`,
});

describe('the name of a failure', () => {
  it.each<[unknown, string]>([
    [new TypeError('secret'), 'TypeError'],
    [{ code: 'ECONNRESET', name: 'Error' }, 'ECONNRESET'],
    [{ code: 404, name: 'NotFound' }, 'NotFound'],
    [{ name: 'not a name: it has spaces' }, 'unknown failure'],
    [{ name: '0digit' }, 'unknown failure'],
    [{ name: `A${'b'.repeat(63)}` }, `A${'b'.repeat(63)}`],
    [{ name: `A${'b'.repeat(64)}` }, 'unknown failure'],
    [{ name: 'A.b_1' }, 'A.b_1'],
    [{ name: 'Multi\nline' }, 'unknown failure'],
    [undefined, 'unknown failure'],
    [null, 'unknown failure'],
    ['text', 'unknown failure'],
    [unnamed(408), 'HTTP 408'],
    // As older releases of the SDK call it.
    [unnamed(403, '403'), 'HTTP 403'],
    [unnamed(403, 'AccessDenied'), 'AccessDenied'],
  ])('of %j is %s', (error, name) => expect(failureName(error)).toBe(name));

  it('has each reason of a cancelled transaction once, but for those that are none', () => {
    const codes = [
      'None',
      'TransactionConflict',
      'None',
      'ThrottlingError',
      'TransactionConflict',
      'a secret',
      undefined,
    ];
    const error = { name: 'Cancelled', CancellationReasons: codes.map((Code) => ({ Code })) };
    expect(failureName(error)).toBe('Cancelled (TransactionConflict, ThrottlingError)');
    expect(failureName({ ...error, CancellationReasons: [{ Code: 'None' }] })).toBe('Cancelled');
  });

  it('has no reasons where they are no list', () => {
    expect(cancellationReasons({ CancellationReasons: 'x' })).toEqual([]);
    expect(cancellationReasons(undefined)).toEqual([]);
    expect(failureName({ name: 'Cancelled', CancellationReasons: 'x' })).toBe('Cancelled');
  });
});

describe('what a failure says of a write', () => {
  it.each<[unknown, string]>([
    [refusal('ValidationException'), 'rejected'],
    [refusal('ValidationException', 399), 'unknown'],
    [refusal('ValidationException', 499), 'rejected'],
    [refusal('ValidationException', 500), 'unknown'],
    [{ ...refusal('Other'), $fault: 'server' }, 'unknown'],
    [{ name: 'Other', $fault: 'client' }, 'unknown'],
    [refusal('ThrottlingException'), 'not-applied'],
    [{ code: 'ECONNREFUSED' }, 'not-applied'],
    [{ code: 'ECONNRESET' }, 'unknown'],
    [refusal('TransactionInProgressException'), 'unknown'],
    [new Error('anything'), 'unknown'],
    [undefined, 'unknown'],
    [unnamed(408), 'unknown'],
    [unnamed(403, '403'), 'unknown'],
    [unnamed(403, 'FORBIDDEN'), 'unknown'],
    [unnamed(429, 'ThrottlingException'), 'unknown'],
    [{ ...unnamed(400), __type: '' }, 'unknown'],
    [{ ...unnamed(400), __type: 400 }, 'unknown'],
  ])('%j: %s', (error, kind) => expect(failureKind(error)).toBe(kind));
});

describe('an answer', () => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(answer.body);
    });
  });
  let answer: { readonly status: number; readonly body: string };
  let client: DynamoDBClient;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new DynamoDBClient({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    });
  });

  afterAll(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });

  async function failureOf(status: number, body: object | string): Promise<unknown> {
    answer = { status, body: typeof body === 'string' ? body : JSON.stringify(body) };
    const sent = client.send(new PutItemCommand({ TableName: 'events', Item: { pk: { S: 'a' } } }));
    return sent.then(
      () => {
        throw new Error('It was no failure.');
      },
      (error: unknown) => error,
    );
  }

  it.each(['ResourceNotFoundException', 'ValidationException', 'AccessDeniedException', 'OfTomorrowException'])(
    'that DynamoDB names %s is a refusal',
    async (name) => {
      const failure = await failureOf(400, { __type: `com.amazon.coral.service#${name}`, message: 'no' });
      expect([failureKind(failure), failureName(failure)]).toEqual(['rejected', name]);
    },
  );

  it.each<[number, object | string, string]>([
    [408, '', 'HTTP 408'],
    [413, '', 'HTTP 413'],
    [403, { message: 'Forbidden' }, 'HTTP 403'],
    [403, { code: 'FORBIDDEN' }, 'FORBIDDEN'],
    [403, [], 'HTTP 403'],
    [403, '<html>', 'SyntaxError'],
    [503, '', 'HTTP 503'],
  ])('of status %d with the body %j is none', async (status, body, name) => {
    const failure = await failureOf(status, body);
    expect([failureKind(failure), failureName(failure)]).toEqual(['unknown', name]);
  });
});
