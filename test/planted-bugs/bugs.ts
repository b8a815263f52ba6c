import type { Catcher, PlantedBug } from './planted-bug.js';

const contract = (test: string): Catcher => ({ file: 'test/dynamodb-event-store.int-spec.ts', test });
const faults = (test: string): Catcher => ({ file: 'test/dynamodb/faults.int-spec.ts', test });
const outcome = (test: string): Catcher => ({ file: 'test/dynamodb/outcome.int-spec.ts', test });
const items = (test: string): Catcher => ({ file: 'test/dynamodb/items.int-spec.ts', test });
const queries = (test: string): Catcher => ({ file: 'test/dynamodb/query.int-spec.ts', test });
const requests = (test: string): Catcher => ({ file: 'test/nest/requests.e2e-spec.ts', test });
const commands = (test: string): Catcher => ({ file: 'test/nest/unit-of-work.e2e-spec.ts', test });
const stopping = (test: string): Catcher => ({ file: 'test/nest/shutdown.e2e-spec.ts', test });
const snapshots = (test: string): Catcher => ({ file: 'test/nest/snapshots.e2e-spec.ts', test });
const migration = (test: string): Catcher => ({ file: 'test/nest/snapshot-migration.e2e-spec.ts', test });
const evolution = (test: string): Catcher => ({ file: 'test/nest/evolution.e2e-spec.ts', test });
const formats = (test: string): Catcher => ({ file: 'test/dynamodb/stored-formats.int-spec.ts', test });
const torture = (test: string): Catcher => ({ file: 'test/campaigns/torture.int-spec.ts', test });
const idempotent = (test: string): Catcher => ({ file: 'test/nest/idempotent-commands.e2e-spec.ts', test });
const contexts = (test: string): Catcher => ({ file: 'test/nest/command-context.e2e-spec.ts', test });
const feed = (test: string): Catcher => ({ file: 'test/campaigns/feed-check.spec.ts', test });
const sources = (test: string): Catcher => ({ file: 'test/subscription/sources.spec.ts', test });
const reader = (test: string): Catcher => ({ file: 'test/subscription/feed-reader.spec.ts', test });
const operators = (test: string): Catcher => ({ file: 'test/subscription/operators.spec.ts', test });
const projections = (test: string): Catcher => ({ file: 'test/nest/projections.e2e-spec.ts', test });
const inline = (test: string): Catcher => ({ file: 'test/nest/inline-projections.e2e-spec.ts', test });
const rebuild = (test: string): Catcher => ({ file: 'test/nest/rebuild.e2e-spec.ts', test });
const once = (test: string): Catcher => ({ file: 'test/dynamodb/exactly-once.int-spec.ts', test });
const skipping = (test: string): Catcher => ({ file: 'test/subscription/skipping.spec.ts', test });
const bookkeeping = (test: string): Catcher => ({ file: 'test/subscription/bookkeeping.int-spec.ts', test });
const damaged = (test: string): Catcher => ({ file: 'test/nest/damaged-events.e2e-spec.ts', test });
const codec = (test: string): Catcher => ({ file: 'test/event/codec.spec.ts', test });

export const BUGS: readonly PlantedBug[] = [
  // Writing
  {
    name: 'blind-write',
    harm: 'A commit that lost its race overwrites the events of the winner.',
    file: 'dynamodb/append-request.ts',
    find: 'Item: item, ConditionExpression: PLACE_IS_FREE, ',
    replace: 'Item: item, ',
    caughtBy: [
      faults('is a conflict when another came first'),
      contract('lets exactly one of several racing appends in'),
      torture('breaks nothing in one process'),
    ],
  },
  {
    name: 'plain-retry',
    harm: 'A commit whose response was lost is stored, and reported as a conflict; the command runs again and doubles.',
    file: 'dynamodb/commit-protocol.ts',
    find: 'if (await isOurs(refusals, places)) return',
    replace: 'if ((await isOurs(refusals, places)) && !mayBeStored) return',
    caughtBy: [faults('is stored exactly once when its response is lost after the write')],
  },
  {
    name: 'any-refusal-is-ours',
    harm: 'A commit that lost its race is reported as stored, and its events are nowhere.',
    file: 'dynamodb/commit-protocol.ts',
    find: 'if (await isOurs(refusals, places)) return',
    replace: 'if (places.proofOf(position)) return',
    caughtBy: [faults('is a conflict when another came first'), torture('breaks nothing in one process')],
  },
  {
    name: 'commit-id-alone-is-identity',
    harm: 'A second import under a commitId that was used before is reported as stored, and its events are nowhere.',
    file: 'dynamodb/commit-protocol.ts',
    find: ' && holder.eventId === eventId',
    replace: '',
    caughtBy: [contract('does not take a commitId that was used before')],
  },
  {
    name: 'unique-value-as-proof',
    harm: 'A commit under a commitId that was used before is refused for a taken value, and reported as stored.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: "({ kind }) => kind === 'event'),",
    replace: "({ kind }) => kind !== 'event'),",
    caughtBy: [contract('belong to one aggregate also behind a commitId that was used before')],
  },
  {
    name: 'used-commit-id-as-token',
    harm: 'A second import under a commitId that was used before fails, or is taken for the first one by DynamoDB.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: 'commit.commitId === undefined ? commitId : randomUUID()',
    replace: 'commitId',
    caughtBy: [contract('does not take a commitId that was used before')],
  },
  {
    name: 'new-token-for-each-retry',
    harm: 'DynamoDB does not recognise a repeated transaction, and does work twice that it could have answered.',
    file: 'dynamodb/commit-protocol.ts',
    find: 'await sender.write(request, deadline);',
    replace: `await sender.write(
        request.kind === 'put'
          ? request
          : { ...request, input: { ...request.input, ClientRequestToken: crypto.randomUUID() } },
        deadline,
      );`,
    caughtBy: [faults('sends the same bytes and the same token again')],
  },
  {
    name: 'other-bytes-under-the-same-token',
    harm: 'DynamoDB refuses a repeated transaction as another one, so a lost response becomes a failure.',
    file: 'dynamodb/commit-protocol.ts',
    find: 'await sender.write(request, deadline);',
    replace: `await sender.write(
        request.kind === 'put' || attempt === 0
          ? request
          : { ...request, input: { ...request.input, TransactItems: request.input.TransactItems!.toReversed() } },
        deadline,
      );`,
    caughtBy: [
      faults('sends the same bytes and the same token again'),
      faults('a commit of several events is stored exactly once when its response is lost after the write'),
    ],
  },
  {
    name: 'commit-in-several-writes',
    harm: 'A command that loses a race or a connection leaves half of its events behind.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: `const request = appendRequest(
        slots.map(({ write }) => write),
        token,
      );
      const places = this.placesOf(prepared, slots, deadline);
      const outcome = await writeCommit(this.sender, request, places, deadline).catch(orInvalidWrites(joined));`,
    replace: `const writeOne = (slot: CommitSlot) =>
        writeCommit(this.sender, appendRequest([slot.write], token), this.placesOf(prepared, [slot], deadline), deadline);
      let outcome = await writeOne(slots[0]!);
      for (const slot of slots.slice(1)) if (outcome.kind === 'stored') outcome = await writeOne(slot);`,
    caughtBy: [
      contract('stores none when one of them has moved on'),
      requests('creating with ten events: 1 write'),
      torture('breaks nothing in one process'),
    ],
  },
  {
    name: 'expected-version-not-checked',
    harm: 'An append that expects another version is stored all the same, on what the caller has never seen.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: 'if (expectedVersion !== ANY_VERSION && expectedVersion !== version)',
    replace: 'if (expectedVersion !== ANY_VERSION && expectedVersion > version)',
    caughtBy: [contract('refuses a version that has passed')],
  },
  {
    name: 'gap-behind-the-head',
    harm: 'An append that expects a version far ahead leaves a hole, and the stream cannot be read any more.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: `      throw new ConcurrencyError(stream, expectedVersion, version);
    }
    return { version, eventTime };`,
    replace: `      if (expectedVersion < version) throw new ConcurrencyError(stream, expectedVersion, version);
      return { version: expectedVersion, eventTime };
    }
    return { version, eventTime };`,
    caughtBy: [contract('refuses a version that is not there yet')],
  },
  {
    name: 'transaction-conflict-is-a-lost-race',
    harm: 'Two commands that touch one table item at the same moment: one is told of a race that it has not lost.',
    file: 'dynamodb/commit-protocol.ts',
    find: "reason.Code === 'ConditionalCheckFailed' ?",
    replace: "reason.Code === 'ConditionalCheckFailed' || reason.Code === 'TransactionConflict' ?",
    caughtBy: [faults('is stored exactly once when another transaction is in its way')],
  },
  {
    name: 'cancelled-transaction-is-final',
    harm: 'A transaction that was cancelled for a moment of load fails its command instead of being sent again.',
    file: 'dynamodb/commit-protocol.ts',
    find: "? 'not-applied' : 'rejected'",
    replace: "? 'rejected' : 'rejected'",
    caughtBy: [faults('is stored exactly once when another transaction is in its way')],
  },
  {
    name: 'unknown-outcome-is-nothing-written',
    harm: 'A commit that may be stored is reported as "nothing was written"; whoever tries again doubles it.',
    file: 'dynamodb/commit-protocol.ts',
    find: "mayBeStored ||= kind === 'unknown';",
    replace: '',
    caughtBy: [
      faults('says that its outcome is unknown when no answer comes'),
      faults('does not take a refusal behind a lost response for a no'),
    ],
  },
  {
    name: 'retries-of-the-sdk-not-watched',
    harm: 'The SDK hides an attempt that may have been stored behind the refusal of the next one.',
    file: 'dynamodb/sender.ts',
    find: "this.unknown ||= failureKind(error) === 'unknown';",
    replace: '',
    caughtBy: [faults('does not take a refusal behind an attempt that the SDK repeated for a no')],
  },
  {
    name: 'empty-answer-is-a-yes',
    harm: 'A proxy that answers 200 without a body makes a commit look stored that never arrived.',
    file: 'dynamodb/sender.ts',
    find: `(command as PutCommand), { abortSignal });
      });
      if (ConsumedCapacity === undefined) throw new NoAnswerError();`,
    replace: `(command as PutCommand), { abortSignal });
      });
      if (ConsumedCapacity === null) throw new NoAnswerError();`,
    caughtBy: [faults('is stored exactly once when the answer is empty, and nothing was written')],
  },
  {
    name: 'deadline-ignored',
    harm: 'A server that accepts and never answers holds commands for ever.',
    file: 'dynamodb/sender.ts',
    find: 'withinTime(deadline.attemptMs, run, deadline.signal)',
    replace: 'withinTime(2 ** 31 - 1, run, deadline.signal)',
    caughtBy: [faults('ends every operation at its deadline')],
  },
  {
    name: 'signal-ignored',
    harm: 'A caller cannot end an operation: the shutdown of its process waits for the whole deadline.',
    file: 'dynamodb/deadline.ts',
    find: 'return new Deadline(performance.now() + milliseconds, signal);',
    replace: 'return new Deadline(performance.now() + milliseconds, signal && undefined);',
    caughtBy: [
      outcome('ends by its signal: unknown when a write was under way'),
      outcome('ends by its signal: aborted'),
    ],
  },
  {
    name: 'outcome-decided-too-early',
    harm: 'A commit whose request is still on its way is called not stored; whoever tries again doubles it.',
    file: 'store/commit-outcome.ts',
    find: "return expired ? 'not-stored' : 'undecided';",
    replace: "return lastAttemptAt || expired ? 'not-stored' : 'undecided';",
    caughtBy: [outcome('that is still under way is undecided')],
  },
  {
    name: 'event-time-not-growing',
    harm: 'Readers by time meet events of one stream in another order than they were stored.',
    file: 'store/stored-event.ts',
    find: 'Math.max(now, head.eventTime + 1)',
    replace: 'now',
    caughtBy: [contract('lets times grow where the clock stands still')],
  },

  // Reading
  {
    name: 'page-missing',
    harm: 'A stream of more than 1 MB loses its end, and aggregates are rebuilt from a part of their events.',
    file: 'dynamodb/stream-reader.ts',
    find: '        if (page.more) continue;\n',
    replace: '',
    caughtBy: [contract('reads a stream whose pages end between commits')],
  },
  {
    name: 'empty-answer-is-an-empty-stream',
    harm: 'An answer without a body makes an aggregate look as if it did not exist.',
    file: 'dynamodb/sender.ts',
    find: `      return items !== undefined && count === items.length;
    });
    return { items: Items!,`,
    replace: `      return items === undefined || count === items.length;
    });
    return { items: Items ?? [],`,
    caughtBy: [faults('asks again when the answer is empty')],
  },
  {
    name: 'stale-reads',
    harm: 'A load misses events that were stored a moment before, and a read tells of a state that has passed.',
    file: 'dynamodb/query-request.ts',
    find: `    ScanIndexForward: forward,
    ConsistentRead: true,`,
    replace: '    ScanIndexForward: forward,',
    caughtBy: [faults('is strongly consistent, of whatever it is')],
  },
  {
    name: 'half-commit-shown',
    harm: 'A load during a commit sees a part of it, and decides on a state that never was.',
    file: 'dynamodb/stream-reader.ts',
    find: 'return version < to && commitIndex + 1 < commitSize;',
    replace: 'return version > to && commitIndex + 1 < commitSize;',
    caughtBy: [faults('is read again while its last event is not visible yet')],
  },
  {
    name: 'hole-skipped',
    harm: 'An event that is not visible yet, or was deleted, is left out without a word.',
    file: 'dynamodb/stream-reader.ts',
    find: 'event.version !== next ?',
    replace: 'event.version === undefined ?',
    caughtBy: [
      faults('is read again while an event in the middle is not visible yet'),
      faults('that has lost version 2 for good is an error'),
    ],
  },
  {
    name: 'checksum-not-verified',
    harm: 'A damaged or falsified event is taken for what happened.',
    file: 'dynamodb/items.ts',
    find: 'if (checksum !== undefined && checksum !== eventChecksum(item))',
    replace: 'if (checksum !== undefined && checksum === undefined)',
    caughtBy: [items('with damaged data are an error that says so')],
  },
  {
    name: 'checksum-of-state-not-verified',
    harm: 'A damaged snapshot is taken for the state of its aggregate.',
    file: 'dynamodb/items.ts',
    find: '  if (item.stateChecksum !== stateChecksum({ pk, version, eventTime }, { snapshotVersion, state })) return undefined;\n',
    replace: '',
    caughtBy: [items('with a state whose state was altered load without it')],
  },

  // Codec and keys
  {
    name: 'codec-drops-undefined',
    harm: 'A field that was undefined is gone when its event is loaded.',
    file: 'event/encoding.ts',
    find: `    for (const key of keys) {
      this.path.push(key);`,
    replace: `    for (const key of keys) {
      if ((value as Record<string, unknown>)[key] === undefined) continue;
      this.path.push(key);`,
    caughtBy: [codec('undefined in arrays and fields')],
  },
  {
    name: 'codec-loses-negative-zero',
    harm: 'A number comes back as another one.',
    file: 'event/encoding.ts',
    find: "return Object.is(value, -0) ? tagged('-0') : String(value);",
    replace: 'return String(value);',
    caughtBy: [codec('negative zero')],
  },
  {
    name: 'codec-takes-data-for-a-tag',
    harm: 'An event with a field named $ comes back as something else.',
    file: 'event/encoding.ts',
    find: "return Object.hasOwn(value, TAG) ? tagged('object', text) : text;",
    replace: 'return text;',
    caughtBy: [codec('an object with a key $')],
  },
  {
    name: 'key-escaping-dropped',
    harm: 'Two aggregates whose ids hold # share one stream.',
    file: 'event/stream-id.ts',
    find: "return part.replace(/[%#]/g, (separator) => (separator === '%' ? '%25' : '%23'));",
    replace: 'return part;',
    caughtBy: [contract('keeps look-alikes apart')],
  },
  {
    name: 'payload-in-an-error',
    harm: 'Personal data of an event ends in logs.',
    file: 'event/codec.ts',
    find: "throw new CorruptStreamError('Stored data is not the text that was written: it is not JSON.');",
    replace: 'throw new CorruptStreamError(`Stored data is not the text that was written: ${text} is not JSON.`);',
    caughtBy: [codec('never quotes stored text'), items('with no JSON')],
  },
  {
    name: 'refused-value-in-an-error',
    harm: 'Personal data of an event ends in logs, as DynamoDB quotes values that it refuses.',
    file: 'dynamodb/sender.ts',
    find: 'was refused with $',
    replace: 'was refused with ${(error as Error).message} $',
    caughtBy: [faults('does not pass on what DynamoDB says of a value')],
  },

  // Snapshots
  {
    name: 'snapshot-at-the-wrong-version',
    harm: 'Events are applied twice, or not at all, to a state from a snapshot.',
    file: 'aggregate/units-of-work.ts',
    find: 'return { version, eventTime, ...stateOf(',
    replace: 'return { version: version - 1, eventTime, ...stateOf(',
    caughtBy: [snapshots('are written when so many versions have passed, and loaded from')],
  },
  {
    name: 'snapshot-of-another-shape-used',
    harm: 'After a deployment that changed fields, aggregates start from a state that the new code misreads.',
    file: 'aggregate/aggregate-snapshot.ts',
    find: 'if (snapshot.snapshotVersion !== snapshotVersion && !(isOlder && migrateSnapshot)) return undefined;',
    replace: '',
    caughtBy: [snapshots('are ignored when they are of another snapshotVersion')],
  },
  {
    name: 'older-snapshot-overwrites',
    harm: 'A slow writer replaces a newer snapshot, so loads read more and more events.',
    file: 'dynamodb/append-request.ts',
    find: 'OR #version < :version OR',
    replace: 'OR #version <> :version OR',
    caughtBy: [contract('are replaced by newer ones only')],
  },
  {
    name: 'snapshot-ahead-of-the-events',
    harm: 'A table restored to an earlier moment shows a state whose events are gone.',
    file: 'dynamodb/stream-reader.ts',
    find: 'separate && separate.version <= head ? separate : undefined',
    replace: 'separate',
    caughtBy: [faults('whose last event is not visible yet does not use a snapshot that is ahead')],
  },

  // Commands
  {
    name: 'unit-of-work-shared',
    harm: 'Commands that run side by side store, or throw away, the events of each other.',
    file: 'aggregate/units-of-work.ts',
    find: 'private readonly running = new AsyncLocalStorage<UnitOfWork | undefined>();',
    replace: `private readonly running = {
    unit: undefined as UnitOfWork | undefined,
    getStore(): UnitOfWork | undefined {
      return this.unit;
    },
    run<T>(unit: UnitOfWork | undefined, work: () => T): T {
      this.unit = unit;
      return work();
    },
  };`,
    caughtBy: [commands('never mixes 1,000 interleaved commands'), torture('breaks nothing in one process')],
  },
  {
    name: 'uncommitted-cleared-before-the-commit',
    harm: 'A save that failed and is tried again stores nothing, and says that all is well.',
    file: 'aggregate/units-of-work.ts',
    find: '    // 3. All events are stored together, or none.\n',
    replace: '    for (const { aggregate } of changed) aggregate.uncommit();\n',
    caughtBy: [commands('save may be tried again after it failed')],
  },
  {
    name: 'published-before-the-commit',
    harm: 'Handlers send e-mails for events that are never stored.',
    file: 'aggregate/units-of-work.ts',
    find: '    // 3. All events are stored together, or none.\n',
    replace: `    this.running.run(undefined, () => unit.publish(events.flat()));
    Object.assign(unit, { publish: () => {} });\n`,
    caughtBy: [commands('publishes nothing of a commit that failed')],
  },
  {
    name: 'nested-command-not-awaited',
    harm: 'The events of a nested command that its handler does not wait for are lost.',
    file: 'aggregate/units-of-work.ts',
    find: '    await unit.settleNested();\n',
    replace: '',
    caughtBy: [commands('belong to the commit even when the handler does not wait for them')],
  },
  {
    name: 'failed-nested-command-stored',
    harm: 'The events of a nested command that failed are stored with those of its caller.',
    file: 'aggregate/unit-of-work.ts',
    find: 'if (this.nestedFailure) throw this.nestedFailure;',
    replace: '',
    caughtBy: [commands('keep the whole from being stored when they fail after applying events')],
  },
  {
    name: 'half-applied-aggregate-stored',
    harm: 'An aggregate whose applier threw is stored with a part of its events.',
    file: 'aggregate/unit-of-work.ts',
    find: 'if (halfApplied) throw',
    replace: 'if (halfApplied && !refusal) throw',
    caughtBy: [commands('stores nothing when an applier threw and the handler went on')],
  },
  {
    name: 'command-not-copied-for-its-retry',
    harm: 'A command that lost a race runs again on data that its first run has changed.',
    file: 'nest/command-unit-of-work.ts',
    find: 'const pristine = conflictRetries > 0 ? copyInstance(command) : command;',
    replace: 'const pristine = command;',
    caughtBy: [commands('runs the command again on fresh aggregates, with a fresh copy of the command')],
  },
  {
    name: 'decided-again-after-an-unknown-outcome',
    harm: 'A command that may be stored is run again: money moves twice.',
    file: 'nest/command-unit-of-work.ts',
    find: 'if (!(error instanceof ConcurrencyError) ||',
    replace: `const unknown = (error as { code?: string }).code === 'COMMIT_OUTCOME_UNKNOWN';
        if (!(error instanceof ConcurrencyError || unknown) ||`,
    caughtBy: [commands('is not run again when its outcome is unknown')],
  },
  {
    name: 'tenants-share-aggregates',
    harm: 'One tenant reads and changes the data of another.',
    file: 'aggregate/aggregate-repository.ts',
    find: '...(tenantId !== undefined && { tenantId }), ',
    replace: '...(tenantId === null && { tenantId }), ',
    caughtBy: [commands('keeps the aggregates of tenants apart')],
  },
  {
    name: 'shutdown-does-not-drain',
    harm: 'A deployment ends commands in the middle, and cuts their events off from their handlers.',
    file: 'nest/command-unit-of-work.ts',
    find: 'while (this.running.size > 0) await Promise.allSettled(this.running);',
    replace: '',
    caughtBy: [stopping('has stored the commands that began while it closed')],
  },

  // Queries
  {
    name: 'query-end-exclusive',
    harm: 'A question about a time leaves out the events of its last millisecond.',
    file: 'dynamodb/index-keys.ts',
    find: 'high: `${to}#g`',
    replace: 'high: `${to}#`',
    caughtBy: [contract('in a range: to a time'), contract('in a range: of one millisecond')],
  },
  {
    name: 'query-slice-forgotten',
    harm: 'A quarter of the aggregates is missing in every answer.',
    file: 'dynamodb/index-request.ts',
    find: '{ length: FEED_SLICES }',
    replace: '{ length: FEED_SLICES - 1 }',
    caughtBy: [
      contract('with its events over all streams in the order of time'),
      queries('one for each slice of the tenant'),
    ],
  },
  {
    name: 'query-slices-not-merged',
    harm: 'Events come slice by slice, and not in the order of time.',
    file: 'dynamodb/index-reader.ts',
    find: 'positionOf(pager) < positionOf(found) === forward',
    replace: 'pager === found',
    caughtBy: [contract('with its events over all streams in the order of time')],
  },
  {
    name: 'query-slices-one-after-the-other',
    harm: 'The first event of a query takes four times as long.',
    file: 'dynamodb/index-reader.ts',
    find: 'await Promise.all(usedUp.map((pager) => pager.fill()));',
    replace: 'for (const pager of usedUp) await pager.fill();',
    caughtBy: [queries('under way at the same time')],
  },
  {
    name: 'query-reads-ahead',
    harm: 'A query holds two pages of each slice in memory, and pays for pages that nobody wants.',
    file: 'dynamodb/index-reader.ts',
    find: `      this.page = items;
      this.used = 0;`,
    replace: `      this.page = [...this.page.slice(this.used), ...items];
      this.used = 0;
      if (lastKey && this.pages % 2 === 0) {
        const more = await this.fetch({ ...this.request, ExclusiveStartKey: lastKey });
        this.page = [...this.page, ...more.items];
        this.request = more.lastKey && { ...this.request, ExclusiveStartKey: more.lastKey };
        this.pages++;
        continue;
      }`,
    caughtBy: [queries('go to a slice when its page is used up, and not before')],
  },
  {
    name: 'query-first-page-only',
    harm: 'Of a long past, only the first pages are shown.',
    file: 'dynamodb/index-reader.ts',
    find: 'this.request = lastKey && { ...this.request, ExclusiveStartKey: lastKey };',
    replace: 'this.request = undefined;',
    caughtBy: [
      queries('go to a slice when its page is used up, and not before'),
      contract('with the few events of a rare type'),
    ],
  },
  {
    name: 'query-page-skips-its-time',
    harm: 'Events of the same millisecond as the last one of a page are lost.',
    file: 'store/event-query.ts',
    find: "eventTime: milliseconds('after.eventTime', eventTime) }",
    replace: "eventTime: milliseconds('after.eventTime', eventTime) + 1 }",
    caughtBy: [contract('loses and doubles nothing of')],
  },
  {
    name: 'query-page-doubles-its-time',
    harm: 'Events of the same millisecond as the last one of a page come twice.',
    file: 'dynamodb/index-request.ts',
    find: '...(startKey && { ExclusiveStartKey: startKey }),',
    replace: '',
    caughtBy: [contract('loses and doubles nothing of')],
  },
  {
    name: 'query-forgets-aliases',
    harm: 'Events that were stored before their type was renamed are missing.',
    file: 'event/event-registry.ts',
    find: 'return [name, ...aliases];',
    replace: 'return [name];',
    caughtBy: [contract('with some event types, also where')],
  },
  {
    name: 'query-tenant-not-captured',
    harm: 'A query that is iterated later answers with the events of another tenant.',
    file: 'store/event-store.ts',
    find: 'return this.found(by, this.tenantOr(by.tenantId), range);',
    replace: 'return { [Symbol.asyncIterator]: () => this.found(by, this.tenantOr(by.tenantId), range) as never };',
    caughtBy: [
      contract('are those of the tenant that is in force'),
      contract('have to name it where a tenant is required'),
    ],
  },
  {
    name: 'user-keys-of-tenants-collide',
    harm: 'The user "b#c" of tenant "a" and the user "c" of tenant "a#b" see what the other did.',
    file: 'event/stream-id.ts',
    find: 'return `${tenantKey(tenantId)}#${userId}`;',
    replace: "return `${tenantId ?? ''}#${userId}`;",
    caughtBy: [contract('are kept apart, look-alikes as well')],
  },
  {
    name: 'query-believes-index-keys',
    harm: 'An item whose index key was altered shows one tenant the event of another.',
    file: 'dynamodb/index-reader.ts',
    find: 'if (asked && stream.tenantId === tenantId) return event;',
    replace: 'return event;',
    caughtBy: [queries('end with an error: an event of another')],
  },

  // What is stored along with events
  {
    name: 'idempotency-key-unchecked',
    harm: 'A command that is repeated from another process is carried out twice.',
    file: 'dynamodb/append-request.ts',
    find: 'ConditionExpression: `${PLACE_IS_FREE} OR ${EXPIRY_ATTRIBUTE} <= :now`,',
    replace: 'ConditionExpression: `${PLACE_IS_FREE} OR ${EXPIRY_ATTRIBUTE} > :now`,',
    caughtBy: [
      contract('refuses the events of a second commit with the key'),
      contract('lets exactly one of ten commits'),
    ],
  },
  {
    name: 'idempotency-key-beside-the-commit',
    harm: 'A lost race leaves a key behind, and its command is never carried out.',
    file: 'store/in-memory-event-store.ts',
    find: 'if (idempotency && this.record(idempotency.keyText)) throw new DuplicateCommandError(keyOf(idempotency));',
    replace: `if (idempotency && this.record(idempotency.keyText)) throw new DuplicateCommandError(keyOf(idempotency));
    if (idempotency) this.records.set(idempotency.keyText, { ...idempotency, commitId });`,
    caughtBy: [{ file: 'test/in-memory-event-store.spec.ts', test: 'keeps no record of a commit that lost its race' }],
  },
  {
    name: 'idempotency-key-judged-last',
    harm: 'A repeat that also lost its race is run again, on what the first one changed.',
    file: 'dynamodb/commit-slots.ts',
    find: 'const slots = [...records, ...eventSlots(placed, tables.events, otherBytes), ...uniques, ...views];',
    replace: 'const slots = [...eventSlots(placed, tables.events, otherBytes), ...uniques, ...records, ...views];',
    caughtBy: [contract('refuses the events of a second commit with the key')],
  },
  {
    name: 'idempotency-key-without-tenant',
    harm: 'A command of one tenant is answered with the result of another tenant.',
    file: 'store/idempotency-key-text.ts',
    find: "return joinedKey(tenantId, 'command', command, key);",
    replace: "return joinedKey(tenantId && undefined, 'command', command, key);",
    caughtBy: [contract('keeps keys of tenants, kinds of commands and look-alikes apart')],
  },
  {
    name: 'body-of-repeat-unchecked',
    harm: 'Another command under a used key is answered as if it had been carried out.',
    file: 'nest/idempotent-commands.ts',
    find: 'if (record.fingerprint !== fingerprint)',
    replace: 'if (fingerprint.length === 0)',
    caughtBy: [idempotent('are refused with another body'), idempotent('tell bodies apart')],
  },
  {
    name: 'idempotency-key-goes-inside',
    harm: 'Of two nested commands of one class, the second is not carried out.',
    file: 'event/command-context.ts',
    find: 'return storage.run({ values: own, inCommand: true, unusedKey: undefined }, run);',
    replace: 'return storage.run({ ...here(), values: own, inCommand: true }, run);',
    caughtBy: [idempotent('share their key with no command inside of them')],
  },
  {
    name: 'faster-process-not-noticed',
    harm: 'A repeat fails by what the first one did, though it was carried out.',
    file: 'nest/idempotent-commands.ts',
    find: 'if (!meanwhile) throw error;',
    replace: 'if (!(meanwhile && error instanceof DuplicateCommandError)) throw error;',
    caughtBy: [idempotent('give the result of another process that was faster')],
  },
  {
    name: 'unique-value-of-another-taken',
    harm: 'Two aggregates hold one unique value.',
    file: 'dynamodb/append-request.ts',
    find: "holder IN (${holders.map(([name]) => name).join(', ')})`",
    replace: "attribute_exists(holder) OR holder IN (${holders.map(([name]) => name).join(', ')})`",
    caughtBy: [contract('belong to one aggregate at a time'), contract('let exactly one of ten aggregates')],
  },
  {
    name: 'unique-value-judged-before-the-race',
    harm: 'A command that lost its race fails for a value that it would not want any more.',
    file: 'dynamodb/commit-slots.ts',
    find: 'const slots = [...records, ...eventSlots(placed, tables.events, otherBytes), ...uniques, ...views];',
    replace: 'const slots = [...records, ...uniques, ...eventSlots(placed, tables.events, otherBytes), ...views];',
    caughtBy: [contract('do not hide that the race for the stream itself was lost')],
  },
  {
    name: 'unique-value-taken-on-load',
    harm: 'An aggregate that only was loaded takes a value, so that its next command fails or takes it back.',
    file: 'aggregate/aggregate-root.ts',
    find: 'if (!lifecycle.replaying) lifecycle.unique.push(change);',
    replace: 'lifecycle.unique.push(change);',
    caughtBy: [{ file: 'test/nest/unique-values.e2e-spec.ts', test: 'may be taken in an applier' }],
  },
  {
    name: 'context-of-nested-command-lost',
    harm: 'An event says that the outer command applied it.',
    file: 'aggregate/units-of-work.ts',
    find: 'metadataOf(Object.keys(context).length > 0 ? context : current)',
    replace: 'metadataOf(current)',
    caughtBy: [contexts('goes to each event of nested commands')],
  },
  {
    name: 'context-of-command-in-handlers',
    harm: 'What an event sets in motion says that the command caused it, and repeats its key.',
    file: 'nest/committed-events.ts',
    find: 'this.guard(() => runCausedBy(recordedEventOf(event), () => publishAll(bus, [event], context)));',
    replace: 'this.guard(() => publishAll(bus, [event], context));',
    caughtBy: [contexts('is that of the event where a handler or a saga reacts to one')],
  },
  {
    name: 'tenant-not-required-of-snapshots',
    harm: 'With requireTenant, one operation still runs without a tenant.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: `  override async saveSnapshot(named: StreamId, snapshot: Snapshot): Promise<void> {
    const stream = this.scoped(named);`,
    replace: `  override async saveSnapshot(named: StreamId, snapshot: Snapshot): Promise<void> {
    const stream = named;`,
    caughtBy: [contexts('refuses every operation without a tenant')],
  },
  {
    name: 'event-applied-before-it-is-validated',
    harm: 'An event that breaks its rules changes the aggregate, and fails only when it is stored.',
    file: 'aggregate/aggregate-root.ts',
    find: 'if (!options.fromHistory) validateEvent(event);',
    replace: '',
    caughtBy: [
      { file: 'test/aggregate/aggregate-root.spec.ts', test: 'is not changed by an event that breaks its rules' },
    ],
  },
  // Evolution
  {
    name: 'versions-count-events',
    harm: 'An aggregate with a split event has a version that its stream does not have, and cannot be loaded or stored.',
    file: 'aggregate/aggregate-repository.ts',
    find: 'lifecycle.version = version;',
    replace: 'lifecycle.version += events.length;',
    caughtBy: [
      evolution('load, with the version of the last stored event'),
      evolution('are followed by the next version, also behind a dropped last one'),
    ],
  },
  {
    name: 'dropped-last-event-not-counted',
    harm: 'An aggregate whose last event is dropped by upcasting conflicts with itself at every command.',
    file: 'aggregate/aggregate-repository.ts',
    find: `for await (const recorded of events) replay(aggregate, stream, recorded);
    lifecycleOf`,
    replace: `let dropped: RecordedVersion | undefined;
    for await (const recorded of events) {
      if (dropped) replay(aggregate, stream, dropped);
      dropped = recorded.events.length === 0 ? recorded : undefined;
      if (!dropped) replay(aggregate, stream, recorded);
    }
    lifecycleOf`,
    caughtBy: [
      evolution('load, with the version of the last stored event'),
      evolution('are followed by the next version, also behind a dropped last one'),
    ],
  },
  {
    name: 'dropped-last-event-hides-aggregate',
    harm: 'An aggregate whose last event is dropped by upcasting is said not to exist.',
    file: 'aggregate/aggregate-repository.ts',
    find: "this.store.readVersions(stream, { direction: 'backward', limit: 1 })",
    replace: "this.store.read(stream, { direction: 'backward', limit: 1 })",
    caughtBy: [evolution('load, with the version of the last stored event')],
  },
  {
    name: 'newer-snapshot-migrated',
    harm: 'During a roll-out, an older release takes a state that it does not know for an older one.',
    file: 'aggregate/aggregate-snapshot.ts',
    find: 'snapshot.snapshotVersion < snapshotVersion;',
    replace: 'snapshot.snapshotVersion !== snapshotVersion;',
    caughtBy: [migration('are ignored when they are of a newer one')],
  },
  {
    name: 'older-snapshot-not-migrated',
    harm: 'A state of an older shape is put into an aggregate of today.',
    file: 'aggregate/aggregate-snapshot.ts',
    find: 'if (!isOlder || !migrateSnapshot) return stored;',
    replace: 'if (migrateSnapshot !== null) return stored;',
    caughtBy: [migration('are migrated from an older one'), migration('are ignored when it gives undefined')],
  },
  {
    name: 'migrated-default-shared',
    harm: 'Two aggregates share a list that a migration gave to both: what one adds, the other has.',
    file: 'aggregate/aggregate-snapshot.ts',
    find: 'return codec.decode(codec.encodeTree({ state: migrated }, `The migrated snapshot of ${name}`)).state as object;',
    replace: 'return name ? migrated : undefined;',
    caughtBy: [
      migration('share nothing between aggregates'),
      migration('are ignored when it gives what no snapshot holds'),
    ],
  },
  {
    name: 'checksum-required',
    harm: 'Events that the first release stored cannot be loaded any more.',
    file: 'dynamodb/items.ts',
    find: 'if (checksum !== undefined && checksum !== eventChecksum(item))',
    replace: 'if (checksum !== eventChecksum(item))',
    caughtBy: [formats('items of the format 1-first give the events with all of their metadata')],
  },
  {
    name: 'checksum-covers-more',
    harm: 'Every event that is stored already is called damaged.',
    file: 'dynamodb/checksum.ts',
    find: "  'commitSize',\n",
    replace: "  'commitSize',\n  'feedSlice',\n",
    caughtBy: [formats('items of the format 2-checksums give the events with all of their metadata')],
  },
  {
    name: 'stored-format-changed-silently',
    harm: 'Items of a new format are in the tables of users, and no test holds the package to reading them for ever.',
    file: 'dynamodb/items.ts',
    find: '    commitSize: event.commitSize,\n    ...indexKeys',
    replace: '    commitSize: event.commitSize,\n    packed: 1,\n    ...indexKeys',
    caughtBy: [formats('are those of the newest format among the fixtures')],
  },

  // Subscriptions
  {
    name: 'gap-not-filled',
    harm: 'Where the index shows a version before the one in front of it, the projection misses that one for good.',
    file: 'subscription/gate.ts',
    find: '? known.version + 1',
    replace: '? event.version',
    caughtBy: [
      feed('delivers all events in order, by feed'),
      sources('events by feed come behind those before them that were not brought'),
    ],
  },
  {
    name: 'no-backtracking',
    harm: 'An event that the index shows late is never read.',
    file: 'subscription/feed-reader.ts',
    find: 'const reached = until < counts ? until : counts;',
    replace: 'const reached = until < counts ? until : until;',
    caughtBy: [
      feed('delivers all events in order, by feed'),
      sources('events by feed come once, and in order, where the index shows them late'),
    ],
  },
  {
    name: 'first-gap-not-seen',
    harm: 'After a restart, an event that comes before its late neighbour is handled first.',
    file: 'subscription/gate.ts',
    find: "event.version === 1 || before === 'shown'",
    replace: "event.version >= 1 || before === 'shown'",
    caughtBy: [
      feed('delivers all events in order, by feed'),
      sources('events by feed come behind those before them that were not brought'),
    ],
  },
  {
    name: 'shown-again-handled-again',
    harm: 'What the stream has told of is handled again when the index shows it.',
    file: 'subscription/gate.ts',
    find: 'known && event.version <= known.version',
    replace: 'known && event.version < known.version',
    caughtBy: [sources('events by streams come once, and in order, where the index shows them late')],
  },
  {
    name: 'new-shard-from-now-on',
    harm: 'Where a shard was split, what its children had before they were met comes seconds later, from the index.',
    file: 'subscription/stream-follower.ts',
    find: "first ? 'latest' : 'oldest', signal",
    replace: "'latest', signal",
    caughtBy: [sources('events by streams come where shards split and merge')],
  },
  {
    name: 'expired-iterator-skips',
    harm: 'After an iterator has expired, what lies behind the last record that was read is passed over.',
    file: 'subscription/stream-follower.ts',
    find: 'if (last !== undefined) place = { after: last };',
    replace: "if (last !== undefined) place = 'latest';",
    caughtBy: [sources('events by streams come where iterators have expired')],
  },
  {
    name: 'pushed-gap-not-read',
    harm: 'A version that Lambda has not brought is left out for good.',
    file: 'subscription/pushed-events.ts',
    find: 'admitted.push({ key, event, fromVersion });',
    replace: 'admitted.push({ key, event, fromVersion: event.version });',
    caughtBy: [sources('events by lambda come behind those before them that were not brought')],
  },
  {
    name: 'pushed-position-not-kept',
    harm: 'Each batch that Lambda brings again is handled again.',
    file: 'subscription/pushed-events.ts',
    find: 'await this.moveTo(stream.stream, handled);',
    replace: 'void handled;',
    caughtBy: [sources('events by lambda come once, and in order for each aggregate')],
  },
  {
    name: 'paused-batch-counts-as-handled',
    harm: 'What Lambda brings while a subscription is paused is lost to it.',
    file: 'subscription/subscription.ts',
    find: 'await run.push(own, endsAt) : own;',
    replace: 'await run.push(own, endsAt) : [];',
    caughtBy: [sources('events by lambda wait where the subscription is paused')],
  },
  {
    name: 'last-failure-reported',
    harm: 'Of a batch that was not handled, Lambda brings the last record again, and the others never.',
    file: 'nest/stream-handler.ts',
    find: 'batch.Records.find((record)',
    replace: 'batch.Records.findLast((record)',
    caughtBy: [sources('events by lambda wait where the subscription is paused')],
  },
  {
    name: 'position-not-checked',
    harm: 'What is read again counts twice in the view.',
    file: 'dynamodb/dynamodb-bookkeeping.ts',
    find: "'attribute_not_exists(pk) OR #version < :version'",
    replace: "'attribute_not_exists(pk) OR #version <> :version OR #version = :version'",
    caughtBy: [once('has each event once, whatever is read again')],
  },
  {
    name: 'batch-position-by-its-last-version',
    harm: 'A batch of which one event was stored before stores that event twice.',
    file: 'dynamodb/dynamodb-bookkeeping.ts',
    find: "':version': position.fromVersion",
    replace: "':version': position.version",
    caughtBy: [bookkeeping('dynamodb moves positions forward, all together')],
  },
  {
    name: 'lease-not-fenced',
    harm: 'A process that stood still wakes up and moves the checkpoint of the one that has taken its slice.',
    file: 'subscription/leases.ts',
    find: 'if (await this.bookkeeping.write(this.subject, idOf(this.partition), lease, this.revision)) {',
    replace: `const { revision = 0 } =
      (await this.bookkeeping.entries(this.subject)).find(({ id }) => id === idOf(this.partition)) ?? {};
    if (await this.bookkeeping.write(this.subject, idOf(this.partition), lease, revision)) {`,
    caughtBy: [{ file: 'test/subscription/leases.spec.ts', test: 'fences off the one before' }],
  },
  {
    name: 'forged-event-believed',
    harm: 'Who may write the keys of one tenant shows projections an event as that of another tenant.',
    file: 'dynamodb/items.ts',
    find: 'if (!isKeyOf(event.stream, item.pk)) {',
    replace: 'if (item.pk === undefined) {',
    caughtBy: [damaged('is that of a tenant under the key of another')],
  },
  {
    name: 'damaged-event-stops-all',
    harm: 'One damaged event stops the projections of a quarter of all aggregates of its type.',
    file: 'dynamodb/items.ts',
    find: 'if (!(error instanceof CorruptStreamError)) throw error;',
    replace: 'if (error) throw error;',
    caughtBy: [damaged('holds up its aggregate alone')],
  },
  {
    name: 'begins-behind-its-time',
    harm: 'After a reset to the time of an event, that event is left out where the index shows it after the next one.',
    file: 'subscription/first-version.ts',
    find: 'feed.positionOf(earlier) <= position',
    replace: 'earlier.eventTime <= Date.parse(position.slice(0, 24))',
    caughtBy: [{ file: 'test/subscription/gate.spec.ts', test: 'what has the very time' }],
  },
  {
    name: 'held-aggregate-goes-on',
    harm: 'Behind an event that failed, the aggregate goes on without it.',
    file: 'subscription/delivery.ts',
    find: '      this.hold(key, event.stream, fromVersion);\n',
    replace: '',
    caughtBy: [projections('holds back that aggregate alone')],
  },
  {
    name: 'parked-forgotten-at-restart',
    harm: 'After a restart, an aggregate that is held back goes on without its parked event.',
    file: 'subscription/delivery.ts',
    find: "if (parked.poison === 'stop-aggregate') this.hold(key, parked.stream, parked.fromVersion);",
    replace: "if (parked.poison === 'skip') this.hold(key, parked.stream, parked.fromVersion);",
    caughtBy: [projections('stays held back over a restart')],
  },
  {
    name: 'unhandled-counts-as-passed',
    harm: 'What was let through and not handled when a process stops is never handled.',
    file: 'subscription/partition-run.ts',
    find: '      this.goBack(before);\n',
    replace: '',
    caughtBy: [projections('gets each event in order, and again what it has not acknowledged')],
  },
  {
    name: 'checkpoint-ahead-of-handler',
    harm: 'What a process that dies has read and not handled is never handled.',
    file: 'subscription/partition-run.ts',
    find: '      await this.handle(events, (time)',
    replace:
      '      page.reached(events.at(-1)!.position);\n      await this.lease.save(this.checkpoint(RECENT_IN_CHECKPOINT));\n      await this.handle(events, (time)',
    caughtBy: [operators('handles what a process that died had read and not handled, however old that is')],
  },
  {
    name: 'handled-ahead-forgotten',
    harm: 'What a process had handled of a page when it stopped comes again, where the next one stops in the middle of that.',
    file: 'subscription/gate.ts',
    find: 'position: recentUntil }',
    replace: 'position: recentUntil && `${lead}#` }',
    caughtBy: [{ file: 'test/subscription/shared-slices.spec.ts', test: 'without a repeat' }],
  },
  {
    name: 'backlog-read-twice',
    harm: 'Processes that restart again and again while much is to be read handle the same events with each start.',
    file: 'subscription/feed-reader.ts',
    find: 'settled < lead && timeOf(lead)',
    replace: 'settled > lead && timeOf(lead)',
    caughtBy: [reader('reads no page more than once where it is ended again and again')],
  },
  {
    name: 'late-retry-passed',
    harm: 'What a skipped event writes is dropped when it is retried, and it is not parked any more.',
    file: 'subscription/delivery.ts',
    find: 'if (each.settling?.late && this.handler.handleLate)',
    replace: 'if (!each && this.handler.handleLate)',
    caughtBy: [once('stores what a skipped event wrote, once')],
  },
  {
    name: 'skipped-and-in-turn',
    harm: 'An event that one process skips and another handles is stored twice once it is retried.',
    file: 'subscription/delivery.ts',
    find: "const passes = poison === 'skip' && !late &&",
    replace: 'const passes = !key && !late &&',
    caughtBy: [skipping('is stored when it is retried')],
  },
  {
    name: 'settled-by-todays-policy',
    harm: 'What waits behind a parked event is lost when its retry fails after a change of the policy.',
    file: 'subscription/delivery.ts',
    find: 'settling ?? { poison: this.options.poison }',
    replace: '{ poison: this.options.poison, late: settling?.late }',
    caughtBy: [skipping('holds up its aggregate until it is settled')],
  },
  {
    name: 'held-before-it-failed',
    harm: 'After a reset, what comes before a parked event is left out of the view.',
    file: 'subscription/delivery.ts',
    find: 'return version >= (this.held.get(key)?.version ?? Infinity);',
    replace: 'return version >= 0 && this.held.has(key);',
    caughtBy: [{ file: 'test/subscription/settling.spec.ts', test: 'holds up none before it that a reset brings' }],
  },
  {
    name: 'skipped-releases-held',
    harm: 'The retry of a skipped event lets later ones go on before those that wait behind another parked event.',
    file: 'subscription/delivery.ts',
    find: "if (poison !== 'skip') this.held.delete(key);",
    replace: 'this.held.delete(key);',
    caughtBy: [skipping('does not let others go on that are held up now')],
  },
  {
    name: 'retried-while-settled',
    harm: 'An event that is retried twice comes again, with all that waited behind it, after the next restart.',
    file: 'subscription/parking.ts',
    find: 'latest && latest.parked.requested !== requested;',
    replace: 'latest && requested;',
    caughtBy: [
      {
        file: 'test/subscription/settling.spec.ts',
        test: 'is handled once, with what waits behind it, where it is retried',
      },
    ],
  },
  {
    name: 'projections-run-in-commands',
    harm: 'Projections belong to the command that resumed them, and fail once that has ended.',
    file: 'subscription/worker.ts',
    find: 'this.scope.runInAsyncScope(() => this.tick())',
    replace: 'this.tick()',
    caughtBy: [{ file: 'test/subscription/worker.spec.ts', test: 'handles events outside of the context' }],
  },
  {
    name: 'tenant-of-the-outer-command',
    harm: 'What belongs to no tenant is stored in the streams of the tenant whose command changes it.',
    file: 'aggregate/units-of-work.ts',
    find: 'return CommandContext.run({ tenantId: undefined }, run);',
    replace: 'return CommandContext.run({}, run);',
    caughtBy: [contexts('leaves what a nested command changes without a tenant')],
  },
  {
    name: 'refused-though-it-may-arrive',
    harm: 'A command is reported as refused by a view, and a lost request of it is stored later.',
    file: 'dynamodb/commit-protocol.ts',
    find: 'if (mayBeStored && !places.staysTaken(position)) return',
    replace: 'if (!places) return',
    caughtBy: [inline('leaves the outcome open when its condition fails behind a request that may still arrive')],
  },
  {
    name: 'inline-not-placed-anew',
    harm: 'A view is written with the version of an event that another commit has taken.',
    file: 'dynamodb/dynamodb-event-store.ts',
    find: 'const joined = await this.joinedBefore(deadline, placed);',
    replace:
      'const joined = await ((this as { before?: Promise<readonly JoinedWrite[]> }).before ??= this.joinedBefore(deadline, placed));',
    caughtBy: [inline('is asked anew when events of any version are placed behind another commit')],
  },
  {
    name: 'generations-share-checkpoints',
    harm: 'A view that is built anew begins where the live one is, and lacks all before that.',
    file: 'subscription/generation.ts',
    find: 'name: generation === 1 ? projection :',
    replace: 'name: generation > 0 ? projection :',
    caughtBy: [rebuild('is built beside the live one, tells how far it is, and takes its place')],
  },
  {
    name: 'switched-before-it-caught-up',
    harm: 'Readers are sent to a view that lacks the newest events.',
    file: 'subscription/rebuilding.ts',
    find: 'if (!caughtUp) {',
    replace: 'if (!name) {',
    caughtBy: [rebuild('is to switch to what is behind, or has parked events')],
  },
  {
    name: 'stood-still-and-took-over',
    harm: 'A process that was held up takes the slices of others that are well, and their latest events are handled again.',
    file: 'subscription/membership.ts',
    find: 'knownUntil - (this.seen',
    replace: 'performance.now() - (this.seen',
    caughtBy: [
      {
        file: 'test/subscription/membership.spec.ts',
        test: 'counts no process as dead because it stood still itself',
      },
    ],
  },
  {
    name: 'takes-from-newcomers',
    harm: 'A process that begins at the same time as another takes the slices that this one has just taken.',
    file: 'subscription/membership.ts',
    find: 'const look = await this.look();',
    replace: 'const look = this.lastLook;',
    caughtBy: [
      {
        file: 'test/subscription/shared-slices.spec.ts',
        test: 'are left to a process that came while another was about to take them',
      },
    ],
  },
  {
    name: 'all-processes-read-the-stream',
    harm: 'DynamoDB throttles the readers of a shard, and events come late to all of them.',
    file: 'subscription/membership.ts',
    find: '.slice(STREAM_READERS)',
    replace: '.slice(STREAM_READERS + 100)',
    caughtBy: [
      { file: 'test/subscription/stream-readers.spec.ts', test: 'are two at most, and another one takes over' },
    ],
  },
];
