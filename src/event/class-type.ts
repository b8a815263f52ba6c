/** A class, seen from outside: something that `new` makes a `T` of. */
// oxlint-disable-next-line typescript/no-explicit-any -- the parameters of a class are its own affair
export type Class<T extends object = object> = new (...args: any[]) => T;
