import type { ExecutionContext } from '@nestjs/common';

/** Finds a header by its lower-case name. */
export type Headers = (name: string) => string | undefined;

/** What the contexts of Nest's transports have, each in a form of its own. */
interface TransportContext {
  /** NATS */
  getHeaders?(): { get?(name: string): unknown } | undefined;
  /** Kafka: `headers`; RabbitMQ: `properties.headers`. */
  getMessage?(): { headers?: object; properties?: { headers?: object } } | undefined;
  /** MQTT 5 */
  getPacket?(): { properties?: { userProperties?: object } } | undefined;
  /** The metadata of gRPC. */
  get?(name: string): unknown;
}

/** The headers of an HTTP request, or of a microservice's message where its transport has any. */
export function headersOf(context: ExecutionContext): Headers {
  if (context.getType() === 'http') {
    const { headers } = context.switchToHttp().getRequest<{ headers?: object }>();
    return (name) => text(fieldOf(headers, name));
  }
  const transport = (context.switchToRpc().getContext<unknown>() ?? {}) as TransportContext;
  const message = transport.getMessage?.();
  const records = [message?.headers, message?.properties?.headers, transport.getPacket?.()?.properties?.userProperties];
  const nats = transport.getHeaders?.();
  return (name) =>
    [...records.map((record) => fieldOf(record, name)), nats?.get?.(name), transport.get?.(name)]
      .map((value) => text(value))
      .find((value) => value !== undefined);
}

function fieldOf(record: object | undefined, name: string): unknown {
  const found = Object.entries(record ?? {}).find(([field]) => field.toLowerCase() === name);
  return found?.[1] as unknown;
}

/** Brokers give text, bytes, or a list of either. */
function text(value: unknown): string | undefined {
  const [first] = [value].flat() as unknown[];
  if (first instanceof Uint8Array) return Buffer.from(first).toString('utf8');
  return typeof first === 'string' && first !== '' ? first : undefined;
}
