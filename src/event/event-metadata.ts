/** Who did it, and what it belongs to. Custom strings may stand beside the known ones. */
export interface EventMetadata {
  /** Who caused the event. */
  readonly userId?: string;
  /** Shared by everything that one request from outside set in motion. */
  readonly correlationId?: string;
  /** The command or event that caused the command, or this event. */
  readonly causationId?: string;
  /** The command whose handler applied the event. */
  readonly commandId?: string;
  readonly [custom: string]: string | undefined;
}
