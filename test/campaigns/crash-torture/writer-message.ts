/** The amounts that a command books, in their order, by stream; null stands for the event that opens a ledger. */
export type ExpectedEvents = Readonly<Record<string, readonly (number | null)[]>>;

/** What a writer says, a line of JSON each. An intent is said before the command is sent, the rest after it. */
export type WriterMessage =
  | { readonly says: 'intent'; readonly key: string; readonly expected: ExpectedEvents }
  | { readonly says: 'acknowledged' | 'not-stored' | 'unknown'; readonly key: string }
  | { readonly says: 'refused'; readonly key: string; readonly error: string };

/** What a writer is told when it starts. */
export interface WriterOrders {
  readonly endpoint: string;
  readonly tables: { readonly events: string; readonly bookkeeping: string };
  /** Begins each of its keys. */
  readonly name: string;
  readonly seed: number;
  /** Commands in flight. */
  readonly lanes: number;
  readonly deadlineMs: number;
  /** Ids of the ledgers to book on. */
  readonly ledgers: readonly string[];
  /** Streams that are known to exist. */
  readonly opened: readonly string[];
}
