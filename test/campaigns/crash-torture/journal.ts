import type { ExpectedEvents, WriterMessage } from './writer-message.js';

/** A command as its writer told of it. */
export interface SentCommand {
  readonly key: string;
  readonly expected: ExpectedEvents;
  /** `unheard`: the writer was killed before it said how it went. */
  outcome: 'unheard' | 'acknowledged' | 'refused' | 'not-stored' | 'unknown';
  /** Its outcome was unknown, and then learned. */
  settled: boolean;
  /** The name of what it was refused with. */
  error?: string;
  /** When it was under way, by `performance.now()`. */
  readonly from: number;
  to: number;
}

/** What all writers have said. */
export class Journal {
  readonly commands = new Map<string, SentCommand>();
  /** Streams that a command has found or made. */
  readonly opened = new Set<string>();

  record(message: WriterMessage): void {
    const now = performance.now();
    if (message.says === 'intent') {
      const { key, expected } = message;
      this.commands.set(key, { key, expected, outcome: 'unheard', settled: false, from: now, to: Infinity });
      return;
    }
    const command = this.commands.get(message.key);
    if (!command) throw new Error(`A writer told of ${message.key} without an intent.`);
    command.settled = command.outcome === 'unknown';
    command.outcome = message.says;
    command.to = now;
    if (message.says === 'refused') command.error = message.error;
    if (message.says === 'acknowledged') for (const stream of Object.keys(command.expected)) this.opened.add(stream);
  }

  /** The writer whose keys begin so is gone: what it had under way has no end that it could tell. */
  close(name: string): void {
    const now = performance.now();
    for (const command of this.commands.values()) {
      if (command.to === Infinity && command.key.startsWith(`${name}-`)) command.to = now;
    }
  }
}
