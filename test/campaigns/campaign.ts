/**
 * A campaign tries to make the store break a promise, for as long as its size says. `main.ts` runs one at full size,
 * the specs beside it run each at a small size.
 */
export interface Campaign<Options extends CampaignOptions = CampaignOptions> {
  /** What it does, in a sentence, for `--help`. */
  readonly about: string;
  /** Its options with their defaults; each can be set on the command line. */
  readonly defaults: Options;
  run(options: Options, stage: Stage): Promise<Outcome>;
}

export type CampaignOptions = Readonly<Record<string, number | string>>;

/** What a campaign runs on. */
export interface Stage {
  /** Address of DynamoDB, or of DynamoDB Local. */
  readonly endpoint: string;
  /** Every choice of a campaign follows from it, so that a failure can be had again. */
  readonly seed: number;
  /** Tells how far it is; shown every few seconds. */
  progress(done: number, total: number, note?: string): void;
}

export interface Outcome {
  /** What was done and seen, for the line at the end. */
  readonly figures: Readonly<Record<string, number | string>>;
  /** Broken promises, each with all that is needed to look at it. Empty when all is well. */
  readonly violations: readonly string[];
}

/** Typed identity, so that a campaign's options have the types of its defaults. */
export function campaign<Options extends CampaignOptions>(definition: Campaign<Options>): Campaign<Options> {
  return definition;
}
