import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What is said to one request: a body, or the name of an error. */
export type Answer = object | string;
export type Answers = (asked: Asked) => Answer | undefined;

/** An endpoint that says what a test wants it to, in the protocol of DynamoDB: for what DynamoDB Local never says. */
export class ScriptedDynamoDb {
  readonly asked: Asked[] = [];
  private special: Answers = () => undefined;

  private constructor(
    private readonly usual: Answers,
    private readonly server: Server,
  ) {}

  /** @param usual what is said to requests of which nothing else is said */
  static async start(usual: Answers = () => ({})): Promise<ScriptedDynamoDb> {
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const operation = String(request.headers['x-amz-target']).split('.')[1]!;
        const answer = scripted.answer({ operation, body: JSON.parse(body) as Asked['body'] });
        const failed = typeof answer === 'string';
        response.writeHead(failed ? 400 : 200, { 'content-type': 'application/x-amz-json-1.0' });
        response.end(JSON.stringify(failed ? { __type: `com.amazonaws.dynamodb.v20120810#${answer}` } : answer));
      });
    });
    const scripted = new ScriptedDynamoDb(usual, server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return scripted;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  askedFor(operation: string, table?: string): readonly Asked[] {
    const isIt = (one: Asked) => one.operation === operation && (table === undefined || one.body.TableName === table);
    return this.asked.filter(isIt);
  }

  /** Says these to requests of one kind, or to those about one table, in their order; the last one stays. */
  says(operation: string, answers: readonly Answer[], table?: string): void {
    const before = this.special;
    this.special = (one) => {
      if (one.operation !== operation || (table !== undefined && one.body.TableName !== table)) return before(one);
      return answers[Math.min(this.askedFor(operation, table).length, answers.length) - 1];
    };
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(asked: Asked): Answer {
    this.asked.push(asked);
    return this.special(asked) ?? this.usual(asked) ?? {};
  }
}
