import { Logger } from '@nestjs/common';
import { CommandContext, isInCommand, unusedIdempotencyKey } from '../event/command-context.js';
import { compress, decompress, storedBytes, type StoredText } from '../event/compression.js';
import type { EventRegistry } from '../event/event-registry.js';
import { classOf } from '../event/event-type.js';
import type { EventStore } from '../store/event-store.js';
import { keyOf, type IdempotencyKey, type IdempotencyRecord } from '../store/idempotency.js';
import { idempotencyKeyText } from '../store/idempotency-key-text.js';
import { CommitOutcomeUnknownError, DuplicateCommandError, InvalidCommitError } from '../store/store-errors.js';
import { fingerprintOf } from './command-fingerprint.js';

/** A larger result would cost every such command more to write than its events do. */
const MAX_RESULT_BYTES = 32 * 1024;

/** What to store along with the events of a command, once its result is known. */
export type RecordOf = (result: unknown) => IdempotencyRecord;

/** Carries commands with an idempotency key out once. */
export class IdempotentCommands {
  private readonly logger = new Logger('EventStore');
  private readonly running = new Map<string, Promise<unknown>>();
  private readonly unkept = new Set<string>();
  /** Names that several commands of the application have. */
  sharedNames: ReadonlySet<string> = new Set();

  constructor(
    private readonly store: EventStore,
    private readonly registry: EventRegistry,
    private readonly keepForMs: number,
  ) {}

  /**
   * Runs a command unless it was carried out before, and gives the first one's result then. Of two at once in this
   * process, the second waits; of two in different processes, one is stored, and the other gets its result.
   *
   * @param ownKey of the handler's `@Idempotent`; otherwise the key is that of the context
   * @throws DuplicateCommandError when the first one had another body, or its result was not kept
   */
  async once(
    command: object,
    ownKey: string | undefined,
    run: (recordOf?: RecordOf) => Promise<unknown>,
  ): Promise<unknown> {
    const key = ownKey ?? unusedIdempotencyKey();
    if (key === undefined) return run();
    const { tenantId, userId } = CommandContext.current();
    const commandName = classOf(command).name;
    if (this.sharedNames.has(commandName)) {
      throw new InvalidCommitError(
        `Several commands are named ${commandName}, and an idempotency key counts for a name: rename all but one of them.`,
      );
    }
    const name = { ...(tenantId !== undefined && { tenantId }), command: commandName, key };
    const keyText = idempotencyKeyText(name);
    // A command inside of another must not wait for that one.
    while (!isInCommand() && this.running.has(keyText)) await Promise.allSettled([this.running.get(keyText)]);
    const carryingOut = this.carryOut(name, fingerprintOf(command, userId), run);
    this.running.set(keyText, carryingOut);
    try {
      return await carryingOut;
    } finally {
      this.running.delete(keyText);
    }
  }

  private async carryOut(
    name: IdempotencyKey,
    fingerprint: string,
    run: (recordOf: RecordOf) => Promise<unknown>,
  ): Promise<unknown> {
    const before = await this.store.findIdempotencyRecord(name);
    if (before) return this.repeated(before, fingerprint);
    try {
      return await run((result) => this.record(name, fingerprint, result));
    } catch (error) {
      // Whatever it failed with: another process may have carried it out meanwhile, which it then ran into.
      const meanwhile = await this.store.findIdempotencyRecord(name).catch((unread: unknown) => {
        // Its result is there and cannot be read now: the next repeat gets it.
        if (error instanceof DuplicateCommandError) throw unread;
        return undefined;
      });
      if (!meanwhile) throw error;
      if (error instanceof CommitOutcomeUnknownError && meanwhile.commitId === error.commitId) {
        this.logger.warn(
          `${name.command}, whose answer was lost, is stored with commit ${error.commitId}. Its events are not published on the event bus.`,
        );
      }
      return this.repeated(meanwhile, fingerprint);
    }
  }

  private repeated(record: IdempotencyRecord, fingerprint: string): unknown {
    if (record.fingerprint !== fingerprint) throw new DuplicateCommandError(keyOf(record), 'other-body');
    if (record.result === undefined) throw new DuplicateCommandError(keyOf(record), 'result-not-kept');
    return this.registry.codec.decode(decompress(record.result)).result;
  }

  private record(name: IdempotencyKey, fingerprint: string, result: unknown): IdempotencyRecord {
    const kept = this.kept(name.command, result);
    return {
      ...name,
      fingerprint,
      ...(kept !== undefined && { result: kept }),
      expiresAt: Date.now() + this.keepForMs,
    };
  }

  private kept(command: string, result: unknown): StoredText | undefined {
    try {
      const text = compress(this.registry.codec.encode({ result }, `The result of ${command}`));
      if (storedBytes(text) <= MAX_RESULT_BYTES) return text;
      this.warnOnce(command, `it has ${storedBytes(text)} bytes, and the limit is ${MAX_RESULT_BYTES}`);
    } catch (error) {
      this.warnOnce(command, error instanceof Error ? error.name : 'it cannot be stored');
    }
    return undefined;
  }

  private warnOnce(command: string, reason: string): void {
    if (this.unkept.has(command)) return;
    this.unkept.add(command);
    this.logger.warn(
      `The result of ${command} is not kept for repeats, which will get DuplicateCommandError: ${reason}. Return plain data, such as an id.`,
    );
  }
}
