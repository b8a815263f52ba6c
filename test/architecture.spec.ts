import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';

/** The rooms of the house, and which others each may import. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  event: [],
  store: ['event'],
  aggregate: ['event', 'store'],
  subscription: ['event', 'store'],
  dynamodb: ['event', 'store'],
  nest: ['event', 'store', 'aggregate', 'subscription', 'dynamodb'],
  testing: ['event', 'store', 'aggregate', 'subscription', 'nest'],
  cli: ['event', 'store', 'dynamodb'],
};

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'));
const sourceOf = new Map(files.map((file) => [file, readFileSync(join('src', file), 'utf8')]));
const importsOf = new Map([...sourceOf].map(([file, source]) => [file, importSpecifiers(source)]));

function importSpecifiers(source: string): string[] {
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => specifier!);
}

function localImports(file: string): string[] {
  return importsOf
    .get(file)!
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts'));
}

const roomOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : 'index');

describe('the house', () => {
  it('has the rooms that are planned, and no others', () => {
    expect([...new Set(files.map(roomOf))].toSorted()).toEqual([...Object.keys(ROOMS), 'index'].toSorted());
  });

  it.each(files.filter((file) => file !== 'index.ts'))('%s imports only rooms that it may', (file) => {
    const allowed = [roomOf(file), ...ROOMS[roomOf(file)]!];
    for (const imported of localImports(file)) {
      expect(sourceOf.has(imported)).toBe(true);
      expect(allowed).toContain(roomOf(imported));
    }
  });

  it('has no cycles between files', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`Cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      if (done.has(file)) return;
      for (const imported of localImports(file)) visit(imported, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('touches the AWS SDK in one room only', () => {
    const touching = files.filter((file) =>
      importsOf.get(file)!.some((specifier) => specifier.startsWith('@aws-sdk/')),
    );
    expect([...new Set(touching.map(roomOf))]).toEqual(['dynamodb']);
  });

  it('names each export, and awaits nothing at the top of a file', () => {
    for (const [file, source] of sourceOf) {
      expect([file, /export \*/.test(source)]).toEqual([file, false]);
      expect([file, /^(const .*= |process\..*= )?await /m.test(source)]).toEqual([file, false]);
    }
  });

  it('uses each of its files', () => {
    const used = new Set(files.flatMap(localImports));
    expect(files.filter((file) => !used.has(file)).toSorted()).toEqual(['cli/main.ts', 'index.ts', 'testing/index.ts']);
  });
});
