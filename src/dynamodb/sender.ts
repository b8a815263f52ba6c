import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  type PutCommandInput,
  type QueryCommandInput,
  type QueryCommandOutput,
} from '@aws-sdk/lib-dynamodb';
import { EventStoreUnavailableError } from '../store/store-errors.js';
import type { AppendRequest } from './append-request.js';
import type { Deadline } from './deadline.js';
import { failureKind, failureName, type FailureKind } from './failure.js';
import type { Item } from './items.js';
import { withinTime } from './within-time.js';

export interface Page {
  readonly items: readonly Item[];
  /** Whether DynamoDB stopped before the end of what was asked for. */
  readonly more: boolean;
  /** Where it stopped, to go on from. */
  readonly lastKey: Item | undefined;
}

/** A write that ended without a clear yes. */
export class WriteFailure {
  constructor(
    readonly error: unknown,
    /** The worst that any attempt of the SDK left behind, not only its last one. */
    readonly kind: FailureKind,
  ) {}
}

/** Sends requests and judges the answers; each call is over when its deadline is. */
export class Sender {
  private readonly client: DynamoDBDocumentClient;

  constructor(client: DynamoDBClient) {
    this.client = DynamoDBDocumentClient.from(withOwnConfig(client), {
      marshallOptions: { removeUndefinedValues: true },
    });
  }

  /** One attempt of ours; the SDK may make several. @throws WriteFailure */
  async write(request: AppendRequest, deadline: Deadline): Promise<void> {
    const attempts = new AttemptLog();
    try {
      const { ConsumedCapacity } = await withinAttempt(deadline, (abortSignal) => {
        const command =
          request.kind === 'put' ? new PutCommand(request.input) : new TransactWriteCommand(request.input);
        return this.client.send(attempts.watch(command as PutCommand), { abortSignal });
      });
      if (ConsumedCapacity === undefined) throw new NoAnswerError();
    } catch (error) {
      throw attempts.failure(error);
    }
  }

  /** Once: a snapshot that is lost, or not newer than the one that is there, harms nobody. @throws EventStoreUnavailableError */
  async writeSnapshot(request: PutCommandInput, deadline: Deadline): Promise<void> {
    try {
      const { ConsumedCapacity } = await withinAttempt(deadline, (abortSignal) =>
        this.client.send(new PutCommand(request), { abortSignal }),
      );
      if (ConsumedCapacity === undefined) throw new NoAnswerError();
    } catch (error) {
      deadline.throwIfAborted();
      if (failureName(error) === 'ConditionalCheckFailedException') return;
      throw failureKind(error) === 'rejected' ? refused(error, request.TableName) : snapshotInDoubt(error);
    }
  }

  /**
   * Asks until there is an answer.
   *
   * @throws EventStoreUnavailableError at the deadline, or when DynamoDB refuses
   * @throws OperationAbortedError
   */
  async query(input: QueryCommandInput, deadline: Deadline): Promise<Page> {
    const { Items, LastEvaluatedKey } = await this.answer(input, deadline, ({ Items: items, Count: count }) => {
      // An answer without its items would make a stream look empty, or shorter than it is.
      return items !== undefined && count === items.length;
    });
    return { items: Items!, more: LastEvaluatedKey !== undefined, lastKey: LastEvaluatedKey };
  }

  /** Asks as `query` does, for how many items there are. */
  async count(input: QueryCommandInput, deadline: Deadline): Promise<{ count: number; lastKey: Item | undefined }> {
    const counting = { ...input, Select: 'COUNT' as const };
    const { Count, LastEvaluatedKey } = await this.answer(
      counting,
      deadline,
      ({ Count: count }) => count !== undefined,
    );
    return { count: Count!, lastKey: LastEvaluatedKey };
  }

  private async answer(
    input: QueryCommandInput,
    deadline: Deadline,
    isWhole: (answer: QueryCommandOutput) => boolean,
  ): Promise<QueryCommandOutput> {
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await withinAttempt(deadline, (abortSignal) =>
          this.client.send(new QueryCommand(input), { abortSignal }),
        );
        if (!isWhole(answer)) throw new NoAnswerError();
        return answer;
      } catch (error) {
        deadline.throwIfAborted();
        if (failureKind(error) === 'rejected') throw refused(error, input.TableName);
        await deadline.backoff(attempt);
        deadline.throwIfAborted();
        if (deadline.isNear) throw unreachable(error);
      }
    }
  }
}

/**
 * The same client to all but its document client: that keeps its options in the config of the client below it, where
 * those of another one would replace them.
 */
function withOwnConfig(client: DynamoDBClient): DynamoDBClient {
  return Object.create(client, { config: { value: { ...client.config } } }) as DynamoDBClient;
}

/** Says no more than the name of the refusal: the text that came with it may quote what was sent. */
export function refused(error: unknown, ...tableNames: readonly (string | undefined)[]): EventStoreUnavailableError {
  const tables = [...new Set(tableNames)].map((name) => `"${name}"`).join(', ');
  return new RequestRefusedError(
    /Validation/.test(failureName(error)),
    `A request to table ${tables} was refused with ${failureName(error)}: check that the table exists and that the role of this process may use it.`,
  );
}

/** DynamoDB answered, and will not do it. */
export class RequestRefusedError extends EventStoreUnavailableError {
  constructor(
    /** Whether for what was asked, and not for a table or a right that is missing. */
    readonly isInvalid: boolean,
    message: string,
  ) {
    super(message);
    Object.defineProperty(this, 'name', { value: EventStoreUnavailableError.name });
  }
}

export function unreachable(error: unknown): EventStoreUnavailableError {
  return new EventStoreUnavailableError(
    `DynamoDB did not answer before the deadline (last failure: ${failureName(error)}). Nothing was written. Check the endpoint, the network and the table's capacity, or raise deadlineMs.`,
  );
}

function snapshotInDoubt(error: unknown): EventStoreUnavailableError {
  return new EventStoreUnavailableError(
    `DynamoDB did not say that the snapshot was written (last failure: ${failureName(error)}). It only saves work, so nothing is lost either way.`,
  );
}

/** A 200 whose body is not what DynamoDB answers, as proxies and cut connections produce it. */
class NoAnswerError extends Error {
  override readonly name = 'NoAnswer';
}

/** A value is of no kind that DynamoDB stores. */
class UnknownValueError extends Error {
  override readonly name = 'ValidationError';
}

/**
 * Watches every attempt inside the SDK's own retries: its last error hides what the earlier ones were, and is not
 * always the one that the attempt ended with.
 */
class AttemptLog {
  private isSerialized = false;
  private started = 0;
  private ended = 0;
  private unknown = false;
  private lastError: unknown;

  watch(command: PutCommand): PutCommand {
    command.middlewareStack.add(
      (next) => (args) => {
        this.isSerialized = true;
        return next(args);
      },
      // Behind the document client, which gives up before on a value that DynamoDB does not know.
      { step: 'serialize', name: 'serialized', override: true },
    );
    command.middlewareStack.add(
      (next) => async (args) => {
        this.started++;
        this.lastError = undefined;
        try {
          return await next(args);
        } catch (error) {
          this.unknown ||= failureKind(error) === 'unknown';
          this.lastError = error;
          throw error;
        } finally {
          this.ended++;
        }
      },
      // Below the SDK's retries, so that it sees each of them. The document client adds it to its stack twice.
      { step: 'finalizeRequest', priority: 'low', name: 'attemptLog', override: true },
    );
    return command;
  }

  failure(error: unknown): WriteFailure {
    if (this.started === 0) {
      if (isFailureToBegin(error)) return new WriteFailure(error, 'not-applied');
      return new WriteFailure(this.isSerialized ? error : new UnknownValueError(), 'rejected');
    }
    const inFlight = this.started > this.ended;
    if (this.unknown || inFlight || this.lastError === undefined) return new WriteFailure(error, 'unknown');
    return new WriteFailure(this.lastError, failureKind(this.lastError));
  }
}

/**
 * Whether a request that was not sent may be sent next time: it was waiting for credentials, which may come over the
 * network. Whatever else fails before is the fault of what was to be sent.
 */
function isFailureToBegin(error: unknown): boolean {
  const { code, $metadata } = error as { code?: unknown; $metadata?: unknown };
  const isOfNetwork = typeof code === 'string' && /^E(?!RR_)[A-Z_]+$/.test(code);
  return isOfNetwork || $metadata !== undefined || FAILURES_TO_BEGIN.has(failureName(error));
}

const FAILURES_TO_BEGIN = new Set([
  'AbortError',
  'TimeoutError',
  'ProviderError',
  'CredentialsProviderError',
  'TokenProviderError',
]);

/** @throws OperationAbortedError when the caller has ended the operation before */
async function withinAttempt<T>(deadline: Deadline, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  deadline.throwIfAborted();
  return withinTime(deadline.attemptMs, run, deadline.signal);
}
