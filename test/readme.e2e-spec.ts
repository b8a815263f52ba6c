import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as publicSurface from '../src/index.js';

const readme = readFileSync('README.md', 'utf8');

describe('the README', () => {
  it('shows the quick start that is in the example app, and what it prints', async () => {
    const shown = /```ts quick-start\n(.*?)```/s.exec(readme)![1]!;
    expect(shown).toBe(readFileSync('example-app/quick-start.ts', 'utf8'));
    const { stdout } = await promisify(execFile)(process.execPath, ['.build/example-app/quick-start.js']);
    expect(stdout).toBe('Balance: 12\n');
    expect(readme).toContain('Balance: 12');
  });

  it('shows tests that stand in the example app', () => {
    const shown = [...readme.matchAll(/```ts (example-app\/\S+)\n(.*?)```/gs)];
    expect(shown).toHaveLength(6);
    for (const [, file, sample] of shown) expect(readFileSync(file!, 'utf8')).toContain(sample);
  });

  it('names every error', () => {
    const errors = Object.keys(publicSurface).filter((name) => name.endsWith('Error') && name !== 'EventStoreError');
    expect(errors.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });

  it('links to files that are there', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path!);
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('calls scripts that are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const called = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
    expect(called.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe('the guide to evolution', () => {
  const guide = readFileSync('docs/evolution.md', 'utf8');

  it('shows code that runs in a test', () => {
    const shown = [...guide.matchAll(/```ts(.*)\n([^]*?)```/g)];
    expect(shown.length).toBeGreaterThanOrEqual(6);
    for (const [, file, sample] of shown) expect(readFileSync(file!.trim(), 'utf8')).toContain(sample);
  });

  it('links to what is there, also inside of itself', () => {
    const links = [...guide.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => link!);
    const anchors = [...guide.matchAll(/^## (.*)$/gm)].map(
      ([, title]) => `#${title!.toLowerCase().replaceAll(' ', '-')}`,
    );
    expect(links.filter((link) => !anchors.includes(link) && !existsSync(`docs/${link}`))).toEqual([]);
  });
});
