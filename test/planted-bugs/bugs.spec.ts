import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { transformSync } from '@swc/core';
import { BUGS } from './bugs.js';
import { planted } from './planted-bug.js';

const sourceOf = (file: string) => readFileSync(join('src', file), 'utf8');

/** What is run: without types, comments and layout. */
const codeOf = (source: string) =>
  transformSync(source, {
    swcrc: false,
    minify: true,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true },
    },
  }).code;

describe('the planted bugs', () => {
  it('are many, each with a name of its own and an end that it would come to', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
    for (const { caughtBy } of BUGS) expect(caughtBy.length).toBeGreaterThan(0);
  });

  it.each(BUGS.map((bug) => [bug.name, bug] as const))('%s still changes the code', (_, bug) => {
    const source = sourceOf(bug.file);
    expect(codeOf(planted(bug, source))).not.toBe(codeOf(source));
  });

  it.each([...new Set(BUGS.flatMap(({ caughtBy }) => caughtBy.map(({ file }) => file)))])('%s is there', (file) => {
    expect(existsSync(file)).toBe(true);
  });

  it('are refused where their text stands twice, or no more', () => {
    const bug = { ...BUGS[0]!, find: 'a', replace: 'b' };
    expect(() => planted(bug, 'aa')).toThrow('2 times');
    expect(() => planted(bug, 'c')).toThrow('0 times');
    expect(planted({ ...bug, replace: '$&' }, 'cac')).toBe('c$&c');
  });
});
