import { format, inspect } from 'node:util';
import type { ArgumentsHost, LoggerService } from '@nestjs/common';
import { EventStoreExceptionFilter } from '../../src/index.js';

const CONSOLE = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const;

/** Hears all that leaves the package where somebody could read it: errors in every form, logs, and the two outputs. */
export class Eavesdropper implements LoggerService {
  readonly heard: string[] = [];
  private readonly restore: (() => void)[] = [];

  /** Listens to the console, both outputs and the warnings of this process. */
  start(): void {
    for (const method of CONSOLE) this.replace(console, method, (...said) => this.hear(...said));
    for (const output of [process.stdout, process.stderr]) {
      this.replace(output, 'write', (...said) => {
        this.hear(...said);
        return true;
      });
    }
    const warned = (warning: Error) => this.hearError(warning);
    process.on('warning', warned);
    this.restore.push(() => process.off('warning', warned));
  }

  stop(): void {
    for (const restore of this.restore.splice(0)) restore();
  }

  /** All that can be seen of an error, in a log, in a debugger or in the answer to a request. */
  hearError(error: Error): void {
    const own = Object.getOwnPropertyNames(error);
    this.hear(error.message, error.stack, String(error), inspect(error, { depth: 20, showHidden: true }));
    this.hear(JSON.stringify(error), JSON.stringify(error, own), format('%o %O %s %j', error, error, error, error));
    new EventStoreExceptionFilter().catch(error as never, this.httpHost());
  }

  log(...said: unknown[]): void {
    this.hear(...said);
  }
  error(...said: unknown[]): void {
    this.hear(...said);
  }
  warn(...said: unknown[]): void {
    this.hear(...said);
  }
  debug(...said: unknown[]): void {
    this.hear(...said);
  }
  verbose(...said: unknown[]): void {
    this.hear(...said);
  }
  fatal(...said: unknown[]): void {
    this.hear(...said);
  }

  private hear(...said: unknown[]): void {
    for (const each of said) {
      this.heard.push(typeof each === 'string' ? each : inspect(each, { depth: 20, showHidden: true }));
    }
  }

  private httpHost(): ArgumentsHost {
    const send = (body: object) => this.hear(JSON.stringify(body));
    const response = { status: () => ({ send }) };
    return {
      getType: () => 'http',
      switchToHttp: () => ({ getResponse: () => response }),
    } as unknown as ArgumentsHost;
  }

  private replace(target: object, method: string, by: (...said: unknown[]) => unknown): void {
    const original = Reflect.get(target, method) as unknown;
    Reflect.set(target, method, by);
    this.restore.push(() => void Reflect.set(target, method, original));
  }
}
