import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { IAM_PAGE, withPolicies } from '../../scripts/iam-page.js';

describe('the page about IAM', () => {
  it('shows what its commands print; else run npm run docs:iam', async () => {
    const page = await readFile(IAM_PAGE, 'utf8');
    expect(page.match(/policies --role/g)).toHaveLength(page.match(/```json\n\{/g)!.length);
    expect(await withPolicies(page)).toBe(page);
  });
});
