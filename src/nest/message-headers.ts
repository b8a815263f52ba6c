import type { ExecutionContext } from '@nestjs/common';

/** Finds a header by its lower-case name. */
export type Headers = (name: string) => string | undefined;

/** Kafka: `headers`; RabbitMQ: `properties.headers`. */
type Message = { headers?: object; properties?: { headers?: object } } | undefined;

/** MQTT 5 */
type Packet = { properties?: { userProperties?: object } } | undefined;

/** The headers of an HTTP request, or of a microservice's message where its transport has any. */
export function headersOf(context: ExecutionContext): Headers {
  if (context.getType() === 'http') {
    const { headers } = context.switchToHttp().getRequest<{ headers?: object }>();
    return (name) => text(fieldOf(headers, name));
  }
  const transport = context.switchToRpc().getContext<unknown>();
  const message = called(transport, 'getMessage') as Message;
  const packet = called(transport, 'getPacket') as Packet;
  const records = [message?.headers, message?.properties?.headers, packet?.properties?.userProperties];
  const nats = called(transport, 'getHeaders');
  // The context of gRPC is its metadata.
  return (name) =>
    [...records.map((record) => fieldOf(record, name)), called(nats, 'get', name), called(transport, 'get', name)]
      .map((value) => text(value))
      .find((value) => value !== undefined);
}

/** The contexts of Nest's transports, and those that others have written, have some of these methods each. */
function called(target: unknown, method: string, ...args: readonly string[]): unknown {
  const found = (target as Record<string, unknown> | null | undefined)?.[method];
  return typeof found === 'function' ? (found.apply(target, args) as unknown) : undefined;
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
