import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ModuleRef, type ModulesContainer } from '@nestjs/core';
import { CommandBus, EventBus, type AsyncContext } from '@nestjs/cqrs';
import { UnitOfWork } from '../aggregate/unit-of-work.js';
import type { UnitsOfWork } from '../aggregate/units-of-work.js';
import type { Class } from '../event/class-type.js';
import { causeOf, runCausedBy, runCommand } from '../event/command-context.js';
import { classOf } from '../event/event-type.js';
import { copyInstance } from '../event/plain-copy.js';
import { hasPrivateFields } from '../event/private-state.js';
import { ConcurrencyError } from '../store/store-errors.js';
import { contextOf, copyContext } from './async-context.js';
import { commandOptionsIn, type CommandOptions } from './command-options.js';
import type { CommittedEvents } from './committed-events.js';
import type { IdempotentCommands, RecordOf } from './idempotent-commands.js';
import { watchHandlers } from './watched-handlers.js';

type Execute = (command: object, context?: AsyncContext) => Promise<unknown>;

/** Gives every command of the application a unit of work. */
export class CommandUnitOfWork {
  private readonly logger = new Logger('EventStore');
  /** Commands, and handlers of events. */
  private readonly running = new Set<Promise<unknown>>();
  private readonly heldOpen = new Map<EventBus, () => void>();
  private options = new Map<Class, CommandOptions>();

  constructor(
    private readonly modules: ModulesContainer,
    private readonly units: UnitsOfWork,
    private readonly events: CommittedEvents,
    private readonly idempotent: IdempotentCommands,
    private readonly conflictRetries: number,
  ) {}

  /**
   * Replaces `execute` of every command bus of the application. There may be several, as `CqrsModule` has a bus for
   * each way it is imported; sagas, controllers and handlers all send through `execute`.
   */
  install(): void {
    this.options = commandOptionsIn(this.modules);
    this.idempotent.sharedNames = namesOfSeveral([...this.options.keys()]);
    for (const [command, { cannotBeCopied }] of this.options) if (cannotBeCopied) this.warnOf(command);
    const seen = new Set<CommandBus>();
    for (const module of this.modules.values()) {
      const providers = [...module.providers.values()].map(({ instance }) => instance as unknown);
      const eventBus = providers.find((provider) => provider instanceof EventBus);
      const moduleRef = providers.find((provider) => provider instanceof ModuleRef)!;
      for (const provider of providers) if (provider instanceof EventBus) this.holdOpen(provider, moduleRef);
      for (const bus of providers) {
        if (!(bus instanceof CommandBus) || seen.has(bus)) continue;
        seen.add(bus);
        const original = bus.execute.bind(bus) as Execute;
        bus.execute = ((command: object, context?: AsyncContext) =>
          this.watch(this.execute(original, eventBus, command, context))) as typeof bus.execute;
      }
    }
  }

  /** Waits for what is running now, and not for what begins meanwhile: there may be no end of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.running);
  }

  /** Waits until no command or event handler is running, when no more are coming; then the event buses end. */
  async end(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
    for (const endBus of this.heldOpen.values()) endBus();
  }

  /**
   * Nest ends the subscriptions of an event bus when the application begins to close, in no order with commands still
   * running or to come: handlers would miss the events of those. So the bus ends after them.
   */
  private holdOpen(bus: EventBus, moduleRef: ModuleRef): void {
    if (this.heldOpen.has(bus)) return;
    watchHandlers(bus, moduleRef, (run) => this.watch(run));
    this.heldOpen.set(bus, bus.onModuleDestroy.bind(bus));
    bus.onModuleDestroy = () => {};
  }

  private async watch<T>(execution: Promise<T>): Promise<T> {
    this.running.add(execution);
    try {
      return await execution;
    } finally {
      this.running.delete(execution);
    }
  }

  private async execute(
    original: Execute,
    bus: EventBus | undefined,
    command: object,
    context?: AsyncContext,
  ): Promise<unknown> {
    const cause = causeOf(command);
    if (cause) return runCausedBy(cause, () => this.executeHere(original, bus, command, context));
    return this.executeHere(original, bus, command, context);
  }

  private async executeHere(
    original: Execute,
    bus: EventBus | undefined,
    command: object,
    context?: AsyncContext,
  ): Promise<unknown> {
    const options = this.optionsOf(classOf(command));
    const commandId = randomUUID();
    // A nested command joins the unit that is running.
    const outer = this.units.current();
    if (outer && !options.ownUnitOfWork) {
      return outer.join(() => runCommand(commandId, () => original(command, context)));
    }
    return this.idempotent.once(command, options.idempotencyKey?.(command), (recordOf) =>
      runCommand(commandId, () => this.carryOut(original, bus, command, context, options, recordOf)),
    );
  }

  private async carryOut(
    original: Execute,
    bus: EventBus | undefined,
    command: object,
    context: AsyncContext | undefined,
    options: CommandOptions,
    recordOf: RecordOf | undefined,
  ): Promise<unknown> {
    const conflictRetries = options.cannotBeCopied ? 0 : (options.conflictRetries ?? this.conflictRetries);
    const pristine = conflictRetries > 0 ? copyInstance(command) : command;
    const pristineContext = context ?? contextOf(command);
    for (let attempt = 0; ; attempt++) {
      // 1. Another run gets a copy of the command, and with it a request-scoped handler of its own.
      const sent = attempt === 0 ? command : copyInstance(pristine);
      const sentContext = attempt === 0 ? context : copyContext(pristineContext);
      const unit = new UnitOfWork((events) => this.events.publish(events, bus, contextOf(sent)));
      // 2. The handler loads, decides and applies.
      const result = await this.handle(unit, () => original(sent, sentContext));
      try {
        // 3. All that it changed is stored together, and published.
        await this.units.commit(unit, recordOf?.(result));
        return result;
      } catch (error) {
        // 4. Another commit came first: the decision was made on what is no longer true, so it is made again.
        if (!(error instanceof ConcurrencyError) || attempt >= conflictRetries) throw error;
        await backoff(attempt);
      }
    }
  }

  /** As Nest does, a command without a handler of its own is given to that of the class that it extends. */
  private optionsOf(commandClass: Class): CommandOptions {
    const known = this.options.get(commandClass);
    if (known) return known;
    const base = Object.getPrototypeOf(commandClass) as Class | null;
    if (!base) return { ownUnitOfWork: false };
    const inherited = { ...this.optionsOf(base), cannotBeCopied: hasPrivateFields(commandClass) };
    this.options.set(commandClass, inherited);
    return inherited;
  }

  private warnOf({ name }: Class): void {
    this.logger.warn(
      `${name} has private fields, so it cannot be copied, and is not run again when another commit comes first: the caller gets ConcurrencyError. Use \`private\` of TypeScript.`,
    );
  }

  private async handle(unit: UnitOfWork, run: () => Promise<unknown>): Promise<unknown> {
    try {
      return await this.units.run(unit, run);
    } catch (error) {
      // Nested commands still at work belong to what failed.
      await unit.settleNested();
      unit.close();
      throw error;
    }
  }
}

function namesOfSeveral(classes: readonly Class[]): ReadonlySet<string> {
  const names = classes.map(({ name }) => name);
  return new Set(names.filter((name, index) => names.indexOf(name) !== index));
}

/** A random wait below a ceiling that doubles up to 400 ms: "full jitter" (AWS Builders' Library). */
async function backoff(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(400, 40 * 2 ** attempt));
}
