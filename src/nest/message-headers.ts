import type { ExecutionContext } from '@nestjs/common';

/** Finds a header by its lower-case name: undefined when it is not there, and empty when it is no text. */
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
    [...records.map((record) => fieldOf(record, name)), fieldOfNats(nats, name), called(transport, 'get', name)]
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

/** Its `get` takes a name as it was sent, and answers with an empty text when there is none. */
function fieldOfNats(headers: unknown, name: string): unknown {
  const names = [...((called(headers, 'keys') as Iterable<string> | undefined) ?? [])];
  const sent = names.find((each) => each.toLowerCase() === name);
  return sent === undefined ? undefined : called(headers, 'get', sent);
}

/** Brokers give text, bytes, numbers, or a list of these. */
function text(value: unknown): string | undefined {
  const [first] = [value].flat() as unknown[];
  if (first === undefined || first === null) return undefined;
  if (first instanceof Uint8Array) return Buffer.from(first).toString('utf8');
  return ['string', 'number', 'bigint'].includes(typeof first) ? String(first as string) : '';
}
