/** One of the views that a projection builds, the first of which has the number 1. */
export interface Generation {
  /** Under which it is kept how far it has come. */
  readonly name: string;
  readonly generation: number;
}

export function generationOf(projection: string, generation: number): Generation {
  return { name: generation === 1 ? projection : `${projection}~${generation}`, generation };
}

/** The projection and generation that a name stands for, where it may stand for a later generation. */
export function laterGeneration(
  name: string,
): { readonly projection: string; readonly generation: number } | undefined {
  const [, projection, generation] = /^(.+)~([1-9][0-9]*)$/s.exec(name) ?? [];
  return projection === undefined ? undefined : { projection, generation: Number(generation) };
}
