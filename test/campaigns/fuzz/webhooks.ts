import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface Webhook {
  readonly name: string;
  readonly payload: object;
}

/** All versions of the API that have examples. */
export const WEBHOOK_FOLDERS = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'];

/** The examples of webhook payloads that GitHub's API documents. */
export function webhooksIn(folder: string): Webhook[] {
  const { resolve } = createRequire(import.meta.url);
  const root = dirname(resolve('@octokit/webhooks-examples/package.json'));
  const definitions = JSON.parse(readFileSync(join(root, folder, 'index.json'), 'utf8')) as {
    readonly name: string;
    readonly examples: readonly object[];
  }[];
  return definitions.flatMap(({ name, examples }) =>
    examples.map((payload, index) => ({ name: `${folder}/${name}[${index}]`, payload })),
  );
}
