import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export const IAM_PAGE = 'docs/iam.md';

const COMMAND = 'npx nestjs-dynamodb-event-store policies ';

/** A command, and the policy below it. */
const SHOWN = new RegExp(`(\`\`\`sh\\n${COMMAND}([^\`]*)\\n\`\`\`\\n[^\`]*\`\`\`json\\n)[^\`]*\`\`\``, 'g');

/** The page with the policies that its commands print now; needs `dist`. */
export async function withPolicies(page: string): Promise<string> {
  const shown = [...page.matchAll(SHOWN)];
  const printed = await Promise.all(shown.map(([, , args]) => policies(args!)));
  let next = 0;
  return page.replace(SHOWN, (_, before: string) => `${before}${printed[next++]!}\`\`\``);
}

async function policies(args: string): Promise<string> {
  const words = args.split(' ').map((word) => word.replace(/^'(.*)'$/, '$1'));
  const { stdout } = await promisify(execFile)(process.execPath, ['dist/cli/main.js', 'policies', ...words]);
  return stdout;
}
