import { readFile, writeFile } from 'node:fs/promises';
import { IAM_PAGE, withPolicies } from './iam-page.js';

await writeFile(IAM_PAGE, await withPolicies(await readFile(IAM_PAGE, 'utf8')));
