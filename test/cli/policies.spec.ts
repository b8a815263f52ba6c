import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { policyFor } from '../../src/dynamodb/policies.js';

const tables = { events: 'bank-events', bookkeeping: 'bank-bookkeeping' };
const TABLES = ['--events', tables.events, '--bookkeeping', tables.bookkeeping];

const run = (...args: string[]) => promisify(execFile)(process.execPath, ['dist/cli/main.js', ...args]);
const printed = async (...args: string[]) => JSON.parse((await run('policies', ...TABLES, ...args)).stdout) as object;

describe('policies by the command line', () => {
  it('are those of the role, the tenants and the place that are named', async () => {
    const place = { account: '123456789012', region: 'eu-central-1' };
    const placed = ['--account', place.account, '--region', place.region];
    expect(
      await Promise.all([
        printed('--role', 'writer'),
        printed('--role', 'reader', '--tenant', 'é*#'),
        printed('--role', 'writer', '--tenant-tag', 'tenant'),
        printed('--role', 'operator', '--all-tenants', ...placed),
        printed('--role', 'relay'),
      ]),
    ).toEqual([
      policyFor('writer', { tables, scope: { kind: 'no-tenant' } }),
      policyFor('reader', { tables, scope: { kind: 'tenant', tenantId: 'é*#' } }),
      policyFor('writer', { tables, scope: { kind: 'tenant-tag', tag: 'tenant' } }),
      policyFor('operator', { tables, scope: { kind: 'all-tenants' }, ...place }),
      policyFor('relay', { tables, scope: { kind: 'all-tenants' } }),
    ]);
  });

  it.each([
    ['a role that is none', ['policies', ...TABLES, '--role', 'admin']],
    ['no role', ['policies', ...TABLES]],
    ['one table', ['policies', '--role', 'writer', '--events', 'e']],
    ['two scopes', ['policies', ...TABLES, '--role', 'writer', '--tenant', 'a', '--all-tenants']],
    ['a relay of one tenant', ['policies', ...TABLES, '--role', 'relay', '--tenant', 'a']],
    ['an option of another command', ['policies', ...TABLES, '--role', 'writer', '--endpoint', 'http://localhost']],
    ['another command', ['policy', ...TABLES, '--role', 'writer']],
  ])('are not printed for %s', async (_, args) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Usage') });
  });

  it('are not printed for a tenant that cannot be, with the reason', async () => {
    const attempt = run('policies', ...TABLES, '--role', 'writer', '--tenant', '');
    await expect(attempt).rejects.toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('tenantId') });
    expect((await run('policies', '--help')).stdout).toContain('--tenant-tag');
  });
});
