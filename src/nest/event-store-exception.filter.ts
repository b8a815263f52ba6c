import { Catch, HttpStatus, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { EventStoreError, type EventStoreErrorCode } from '../event/event-store-error.js';
import { TableWriteRefusedError } from '../store/table-write.js';

const STATUS: Partial<Record<EventStoreErrorCode, HttpStatus>> = {
  AGGREGATE_NOT_FOUND: HttpStatus.NOT_FOUND,
  CONCURRENCY: HttpStatus.CONFLICT,
  DUPLICATE_COMMAND: HttpStatus.CONFLICT,
  UNIQUE_CONSTRAINT: HttpStatus.CONFLICT,
  COMMIT_TOO_LARGE: HttpStatus.PAYLOAD_TOO_LARGE,
  INVALID_EVENT: HttpStatus.UNPROCESSABLE_ENTITY,
  INVALID_STREAM_ID: HttpStatus.UNPROCESSABLE_ENTITY,
  MISSING_TENANT: HttpStatus.UNPROCESSABLE_ENTITY,
  UNSERIALIZABLE_EVENT: HttpStatus.UNPROCESSABLE_ENTITY,
  COMMIT_OUTCOME_UNKNOWN: HttpStatus.SERVICE_UNAVAILABLE,
  EVENT_STORE_UNAVAILABLE: HttpStatus.SERVICE_UNAVAILABLE,
  OPERATION_ABORTED: HttpStatus.SERVICE_UNAVAILABLE,
};

/** What is said where the message names tables. */
const OUTSIDE: Partial<Record<EventStoreErrorCode, string>> = {
  EVENT_STORE_UNAVAILABLE: 'The event store is unavailable.',
  TABLE_WRITE_REFUSED: 'A condition that a view has set does not hold.',
};

interface HttpResponse {
  status(code: number): { send(body: object): unknown };
}

/**
 * Turns errors of the event store into HTTP answers: 404, 409, 413, 422 and 503 with the error's code and message.
 * Any other is a fault of the application: it is logged, and answered with 500 and no detail.
 */
@Catch(EventStoreError)
export class EventStoreExceptionFilter implements ExceptionFilter<EventStoreError> {
  private readonly logger = new Logger('EventStore');

  catch(error: EventStoreError, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const statusCode = statusOf(error);
    const known = statusCode !== HttpStatus.INTERNAL_SERVER_ERROR;
    if (statusCode >= HttpStatus.INTERNAL_SERVER_ERROR) this.logger.error(error.message, error.stack);
    // Names of tables and roles are nobody's business outside.
    const message = OUTSIDE[error.code] ?? error.message;
    // Both Express and Fastify answer to these two calls.
    host
      .switchToHttp()
      .getResponse<HttpResponse>()
      .status(statusCode)
      .send(known ? { statusCode, error: error.code, message } : { statusCode, message: 'Internal server error' });
  }
}

function statusOf(error: EventStoreError): HttpStatus {
  if (error instanceof TableWriteRefusedError && error.byCondition) return HttpStatus.CONFLICT;
  return STATUS[error.code] ?? HttpStatus.INTERNAL_SERVER_ERROR;
}
