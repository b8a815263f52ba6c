/** A change that breaks a promise of the store. It lives here only, and is put into copies of the code. */
export interface PlantedBug {
  readonly name: string;
  /** What a user of the package would suffer. */
  readonly harm: string;
  /** Below `src`. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The tests that notice it; each of them has to. */
  readonly caughtBy: readonly Catcher[];
}

/** Tests of one file whose full names contain a text; at least one of them fails when it notices a bug. */
export interface Catcher {
  readonly file: string;
  readonly test: string;
}

/** The source with the bug in it. */
export function planted({ name, file, find, replace }: PlantedBug, source: string): string {
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`${name}: its text stands ${places} times in ${file}, and must stand there once.`);
  return source.replace(find, () => replace);
}
