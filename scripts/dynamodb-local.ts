import { execFile, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const OLDEST_JAVA = 11;
const START_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
const POLL_MS = 50;
const MAX_ATTEMPTS = 5;
const LOG_TAIL_LENGTH = 4_000;

const { resolve } = createRequire(import.meta.url);
const EMULATOR = join(dirname(resolve('amplify-dynamodb-simulator/package.json')), 'emulator');
const GUARD = join(dirname(resolve('nestjs-dynamodb-event-store/package.json')), 'scripts', 'dynamodb-guard.js');

export interface DynamoDbEndpoint {
  readonly endpoint: string;
  /** Ends what was started for this endpoint, and resolves once it is gone. */
  stop(): Promise<void>;
}

export interface DynamoDbLocal extends DynamoDbEndpoint {
  /** The process id of Java. */
  readonly pid: number;
}

export interface DynamoDbLocalOptions {
  /** Where the tables are kept; without it they are in memory. */
  readonly dataDirectory?: string;
  /** The port to listen on; default a free one. */
  readonly port?: number;
}

export class JavaMissingError extends Error {
  override readonly name = 'JavaMissingError';

  constructor() {
    super(
      `DynamoDB Local needs Java: install Java ${OLDEST_JAVA} or later (e.g. Debian: apt-get install default-jre-headless), ` +
        'or set DYNAMODB_ENDPOINT to a DynamoDB of your own.',
    );
  }
}

/** The DynamoDB that DYNAMODB_ENDPOINT names, or else a DynamoDB Local started for the caller. */
export async function dynamoDbEndpoint(): Promise<DynamoDbEndpoint> {
  const endpoint = process.env.DYNAMODB_ENDPOINT;
  return endpoint ? { endpoint, stop: async () => {} } : startDynamoDbLocal();
}

/** Starts AWS's DynamoDB Local. It ends with `stop()`, or with this process, however that ends. */
export async function startDynamoDbLocal({ dataDirectory, port }: DynamoDbLocalOptions = {}): Promise<DynamoDbLocal> {
  const java = await findJava();
  if (dataDirectory !== undefined) await mkdir(dataDirectory, { recursive: true });
  const storage = dataDirectory === undefined ? ['-inMemory'] : ['-dbPath', resolvePath(dataDirectory)];

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const started = await startOnPort(port ?? (await freePort()), java, storage);
    if (started !== undefined) return started;
  }
  const wanted = port === undefined ? 'each free port' : `port ${port}`;
  throw new Error(`DynamoDB Local found ${wanted} taken by the time it started, ${MAX_ATTEMPTS} times.`);
}

/**
 * Returns undefined when something else has taken the port. DynamoDB Local has no option for the address it listens on:
 * it always listens on every network interface.
 */
async function startOnPort(port: number, java: string, storage: readonly string[]): Promise<DynamoDbLocal | undefined> {
  const endpoint = `http://127.0.0.1:${port}`;
  // Another DynamoDB Local may win the port and answer in place of this one; only this one allows this origin.
  const origin = `http://${randomUUID()}.invalid`;

  const command = [
    java,
    `-Djava.library.path=${join(EMULATOR, 'DynamoDBLocal_lib')}`,
    '-jar',
    join(EMULATOR, 'DynamoDBLocal.jar'),
    '-port',
    String(port),
    '-cors',
    origin,
    ...storage,
    '-sharedDb',
    '-disableTelemetry',
  ];
  const guard = fork(GUARD, command, {
    // In a process group of its own, Ctrl+C reaches only this process, which may still need the database to shut down.
    detached: true,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const stderr = guard.stderr as Socket;

  let pid: number | undefined;
  guard.once('message', (message) => (pid = Number(message)));
  let log = '';
  stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-LOG_TAIL_LENGTH)));

  guard.once('exit', (_code, signal) => {
    if (signal !== null && pid !== undefined) kill(pid);
  });
  let ended = false;
  // Java writes to the same stderr, so that its close means that Java is gone too.
  const end = Promise.all([once(guard, 'exit'), once(stderr, 'close')]).then(() => (ended = true));
  const stop = async () => {
    guard.ref();
    stderr.ref();
    if (guard.connected) guard.disconnect();
    await end;
  };

  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(endpoint, origin)) || pid === undefined) {
    // Java reports a taken port, but goes on running without it.
    const portTaken = log.includes('Failed to bind');
    const problem = ended ? 'ended before it answered' : `did not answer within ${START_TIMEOUT_MS / 1000} s`;
    if (portTaken || ended || Date.now() > deadline) {
      await stop();
      if (portTaken) return undefined;
      throw new Error(`DynamoDB Local ${problem}. The end of its log:\n${log}`);
    }
    await delay(POLL_MS);
  }

  guard.unref();
  guard.channel?.unref();
  stderr.unref();
  return { endpoint, pid, stop };
}

async function answers(endpoint: string, origin: string): Promise<boolean> {
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        Origin: origin,
        'Content-Type': 'application/x-amz-json-1.0',
        'X-Amz-Target': 'DynamoDB_20120810.ListTables',
        Authorization:
          'AWS4-HMAC-SHA256 Credential=local/20200101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=none',
      },
      body: '{}',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.ok && response.headers.get('Access-Control-Allow-Origin') === origin;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function findJava(): Promise<string> {
  const { JAVA_HOME } = process.env;
  for (const java of [...(JAVA_HOME ? [join(JAVA_HOME, 'bin', 'java')] : []), 'java']) {
    if ((await javaVersion(java)) >= OLDEST_JAVA) return java;
  }
  throw new JavaMissingError();
}

/** The major version, where Java 8 and older ("1.8.0") count as 1, and a Java that does not run as 0. */
async function javaVersion(java: string): Promise<number> {
  try {
    const { stderr } = await promisify(execFile)(java, ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already ended.
  }
}
