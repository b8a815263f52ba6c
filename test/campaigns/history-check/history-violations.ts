import type { AppendRecord, History, ReadRecord, SeenEvent } from './history.js';

/**
 * What in a history contradicts this: each stream is one sequence of whole commits, to which a commit is added at one
 * moment between its invocation and its acknowledgement, and a read shows all of it as it was at one moment between
 * the read's start and end.
 */
export function historyViolations({ appends, reads }: History): string[] {
  const streams = new Map<string, { appends: AppendRecord[]; reads: ReadRecord[] }>();
  const of = (stream: string) => {
    const known = streams.get(stream) ?? { appends: [], reads: [] };
    streams.set(stream, known);
    return known;
  };
  for (const append of appends) of(append.stream).appends.push(append);
  for (const read of reads) of(read.stream).reads.push(read);
  return [...streams].flatMap(([stream, records]) =>
    new StreamHistory(records.appends, records.reads).violations().map((found) => `Stream ${stream}: ${found}`),
  );
}

class StreamHistory {
  private readonly appendOf: ReadonlyMap<string, AppendRecord>;
  /** By commit: the version of its first event, as acknowledged or else as seen. */
  private readonly firstVersion = new Map<string, number>();
  private readonly everSeen: ReadonlySet<string>;

  constructor(
    private readonly appends: readonly AppendRecord[],
    private readonly reads: readonly ReadRecord[],
  ) {
    this.appendOf = new Map(appends.map((append) => [append.commit, append]));
    this.everSeen = new Set(reads.flatMap(({ seen }) => seen.map(({ commit }) => commit)));
    for (const { seen } of reads) {
      for (const { commit, version, index } of seen) this.firstVersion.set(commit, version - index);
    }
    for (const append of acknowledged(appends)) this.firstVersion.set(append.commit, append.first);
  }

  violations(): string[] {
    return [
      ...this.sharedVersions(),
      ...this.reads.flatMap((read) => [...this.shapeOf(read), ...this.contentsOf(read)]),
      ...this.changedEvents(),
      ...this.unseenAppends(),
      ...this.orderOfAppends(),
      ...this.readsGoingBack(),
      ...this.needlessRefusals(),
    ];
  }

  private *sharedVersions(): Iterable<string> {
    const holders = new Map<number, string>();
    for (const { commit, first, last } of acknowledged(this.appends)) {
      for (let version = first; version <= last; version++) {
        const holder = holders.get(version);
        if (holder !== undefined) yield `${holder} and ${commit} were both acknowledged for version ${version}`;
        holders.set(version, commit);
      }
    }
  }

  /** Gapless from the first version, whole commits only, each once. */
  private *shapeOf(read: ReadRecord): Iterable<string> {
    const events = oldestFirst(read);
    const gap = events.findIndex(({ version }, position) => version !== position + 1);
    if (gap !== -1) yield `${named(read)} shows version ${events[gap]!.version} in place ${gap + 1}`;
    const begun = new Set<string>();
    for (const [position, { commit, index, version }] of events.entries()) {
      const before = events[position - 1];
      const goesOn = before?.commit === commit && before.index + 1 === index;
      if (index === 0 ? begun.has(commit) : !goesOn) {
        yield `${named(read)} shows event ${index} of ${commit} out of its place, at version ${version}`;
      }
      begun.add(commit);
      const size = this.appendOf.get(commit)?.size ?? 0;
      if (events[position + 1]?.commit !== commit && index + 1 < size) {
        yield `${named(read)} shows half a commit: ${index + 1} of the ${size} events of ${commit}`;
      }
    }
  }

  /** Only what was written, by the time of the read, and not refused. */
  private *contentsOf(read: ReadRecord): Iterable<string> {
    for (const { commit, version, index } of read.seen) {
      if (index > 0) continue;
      const append = this.appendOf.get(commit);
      if (!append) {
        yield `${named(read)} shows ${commit}, which nobody wrote`;
        continue;
      }
      if (append.outcome.kind === 'refused') yield `${named(read)} shows ${commit}, which was refused`;
      if (append.invoked > read.ended) yield `${named(read)} shows ${commit} before it was written`;
      const first = this.firstVersion.get(commit)!;
      if (append.outcome.kind === 'acknowledged' && version !== first) {
        yield `${named(read)} shows ${commit} from version ${version}, and it was acknowledged from version ${first}`;
      }
    }
  }

  private *changedEvents(): Iterable<string> {
    const known = new Map<number, SeenEvent>();
    for (const { seen } of this.reads) {
      for (const event of seen) {
        const { version, commit, index } = known.get(event.version) ?? event;
        if (commit !== event.commit || index !== event.index) {
          yield `version ${version} is event ${index} of ${commit} in one read, and of ${event.commit} in another`;
        }
        known.set(event.version, event);
      }
    }
  }

  private *unseenAppends(): Iterable<string> {
    for (const append of acknowledged(this.appends)) {
      const missing = this.reads.filter(
        ({ started, seen }) => started > append.ended && !seen.some(({ commit }) => commit === append.commit),
      );
      if (missing.length === 0) continue;
      if (this.everSeen.has(append.commit)) {
        for (const read of missing) yield `${named(read)} is stale: ${append.commit} was acknowledged before it`;
      } else {
        yield `${append.commit} was acknowledged and is lost: none of ${missing.length} later reads shows it`;
      }
    }
  }

  /** What was there before a commit was begun, stands before it. */
  private *orderOfAppends(): Iterable<string> {
    for (const { commit, invoked } of this.appends) {
      const first = this.firstVersion.get(commit);
      if (first === undefined) continue;
      for (const earlier of acknowledged(this.appends)) {
        if (earlier.ended < invoked && earlier.last >= first) {
          yield `${commit} has version ${first}, and was begun after ${earlier.commit} was acknowledged for version ${earlier.last}`;
        }
      }
      for (const read of this.reads) {
        if (read.ended < invoked && headOf(read) >= first) {
          yield `${commit} has version ${first}, and was begun after ${named(read)} had shown version ${headOf(read)}`;
        }
      }
    }
  }

  private *readsGoingBack(): Iterable<string> {
    for (const read of this.reads) {
      for (const earlier of this.reads) {
        if (earlier.ended < read.started && headOf(earlier) > headOf(read)) {
          yield `${named(read)} goes back: ${named(earlier)} was over, and had shown version ${headOf(earlier)}`;
        }
      }
    }
  }

  /** A conflict has somebody who won. */
  private *needlessRefusals(): Iterable<string> {
    const holders = new Map<number, string>();
    for (const { seen } of this.reads) for (const { version, commit } of seen) holders.set(version, commit);
    for (const { commit, ended, outcome } of this.appends) {
      if (outcome.kind !== 'refused' || outcome.takenAfter === undefined) continue;
      const winner = this.appendOf.get(holders.get(outcome.takenAfter + 1) ?? '');
      if (!winner || winner.commit === commit || winner.invoked > ended) {
        yield `${commit} was refused, as if another had version ${outcome.takenAfter + 1}`;
      }
    }
  }
}

interface Acknowledged extends AppendRecord {
  readonly first: number;
  readonly last: number;
}

function acknowledged(appends: readonly AppendRecord[]): Acknowledged[] {
  return appends.flatMap((append) => {
    if (append.outcome.kind !== 'acknowledged') return [];
    const last = append.outcome.lastVersion;
    return [{ ...append, first: last - append.size + 1, last }];
  });
}

function oldestFirst({ by, seen }: ReadRecord): readonly SeenEvent[] {
  return by === 'backward read' ? seen.toReversed() : seen;
}

function headOf(read: ReadRecord): number {
  return oldestFirst(read).at(-1)?.version ?? 0;
}

function named(read: ReadRecord): string {
  return `the ${read.by} of ${read.started} to ${read.ended}, up to version ${headOf(read)},`;
}
