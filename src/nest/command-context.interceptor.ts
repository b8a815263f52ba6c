import { randomUUID } from 'node:crypto';
import {
  BadRequestException,
  Inject,
  Injectable,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { CommandContext, type CommandContextValues } from '../event/command-context.js';
import { headersOf, type Headers } from './message-headers.js';

/** Reads a value from what came in: the HTTP request, or the data of a microservice's message. */
// oxlint-disable-next-line typescript/no-explicit-any -- requests are typed by each platform
export type ReadFromRequest<T> = (request: any, context: ExecutionContext) => T | null | undefined;

/** Where the `CommandContextInterceptor` finds what no header should be trusted for. */
export interface CommandContextSources {
  /** Who sends the request, such as `(request) => request.user.id` behind a guard. */
  readonly userId?: ReadFromRequest<string>;
  /** For which tenant, such as `(request) => request.user.tenantId`. Take it from a token and not from a header. */
  readonly tenantId?: ReadFromRequest<string>;
  /** Further strings for the metadata of the events; also values that do not stand in headers. */
  readonly values?: ReadFromRequest<CommandContextValues>;
}

/** The sources given to `EventStoreModule`. */
export const COMMAND_CONTEXT_SOURCES = Symbol('CommandContextSources');

const CORRELATION_ID = 'x-correlation-id';
const IDEMPOTENCY_KEY = 'idempotency-key';
const VISIBLE = /^[\x21-\x7e]{1,255}$/;

/** W3C Trace Context, "traceparent Header Field Values"; ids of zeros alone are invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|$)/;

/**
 * Fills the `CommandContext` from an HTTP request or a microservice's message, for all that its handler does:
 * `x-correlation-id` (a new one when there is none; HTTP answers carry it), `idempotency-key`, `traceparent`, and user and
 * tenant by functions of the request. Use it globally, or on a controller. Handlers of GraphQL and WebSockets run as if it
 * were not there, as their requests have no form that it knows.
 *
 * @throws BadRequestException for an idempotency key that cannot be one, as without it the command could run twice
 */
@Injectable()
export class CommandContextInterceptor implements NestInterceptor {
  /** @param sources default: `commandContext` of `EventStoreModule` */
  constructor(@Optional() @Inject(COMMAND_CONTEXT_SOURCES) private readonly sources: CommandContextSources = {}) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!['http', 'rpc'].includes(context.getType())) return next.handle();
    const values = this.valuesFrom(context);
    if (context.getType() === 'http') answerWith(context, values.correlationId);
    return new Observable((subscriber) => CommandContext.run(values, () => next.handle().subscribe(subscriber)));
  }

  private valuesFrom(context: ExecutionContext): CommandContextValues {
    const { userId, tenantId, values } = this.sources;
    const isHttp = context.getType() === 'http';
    const request: unknown = isHttp ? context.switchToHttp().getRequest() : context.switchToRpc().getData();
    return stated({
      correlationId:
        visible(headersOf(context)(CORRELATION_ID)) ?? CommandContext.current().correlationId ?? randomUUID(),
      idempotencyKey: idempotencyKeyFrom(headersOf(context)),
      traceparent: traceparentFrom(headersOf(context)),
      userId: userId?.(request, context),
      tenantId: tenantId?.(request, context),
      // What it leaves open must not take away what was found.
      ...stated(values?.(request, context) ?? {}),
    });
  }
}

/** The draft of the IETF has the key in quotes ("The Idempotency-Key HTTP Header Field"); most clients send it without. */
function idempotencyKeyFrom(header: Headers): string | undefined {
  const sent = header(IDEMPOTENCY_KEY);
  if (sent === undefined) return undefined;
  const key = sent.replace(/^"(.*)"$/, '$1');
  if (VISIBLE.test(key)) return key;
  throw new BadRequestException('Idempotency-Key must be 1 to 255 visible ASCII characters.');
}

/** What is no trace, or no correlation id, is no reason to refuse a request. */
function traceparentFrom(header: Headers): string | undefined {
  const sent = header('traceparent');
  return sent !== undefined && sent.length <= 255 && TRACEPARENT.test(sent) ? sent : undefined;
}

function visible(sent: string | undefined): string | undefined {
  return sent !== undefined && VISIBLE.test(sent) ? sent : undefined;
}

/** Both Express and Fastify have this method. */
function answerWith(context: ExecutionContext, correlationId: string | undefined): void {
  const response = context.switchToHttp().getResponse<{ header?(name: string, value: string): unknown }>();
  if (correlationId !== undefined) response.header?.(CORRELATION_ID, correlationId);
}

function stated(values: Record<string, string | null | undefined>): CommandContextValues {
  const found = Object.entries(values).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== null,
  );
  return Object.fromEntries(found);
}
