import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BUGS } from './bugs.js';
import { hunt } from './hunt.js';
import type { PlantedBug } from './planted-bug.js';
import { WorkingCopy } from './working-copy.js';

const bugNamed = (name: string): PlantedBug => BUGS.find((bug) => bug.name === name)!;

/** `npm run planted-bugs` hunts them all; these are the ones with quick tests. */
describe('a hunt for a planted bug', () => {
  let copy: WorkingCopy;

  beforeAll(async () => {
    copy = await WorkingCopy.of(process.cwd());
  });

  afterAll(() => copy.remove());

  const huntFor = (bug: PlantedBug) => hunt(copy, bug, process.env.DYNAMODB_ENDPOINT!);

  it.each(['codec-drops-undefined', 'codec-takes-data-for-a-tag'])(
    'catches %s',
    async (name) => {
      expect(await huntFor(bugNamed(name))).toMatchObject({ missed: undefined, noticed: [expect.any(String)] });
    },
    120_000,
  );

  it('does not call caught what nobody notices, or what keeps the tests from running', async () => {
    const bug = bugNamed('codec-drops-undefined');
    const harmless = { ...bug, replace: `${bug.find} // nothing` };
    expect(await huntFor(harmless)).toMatchObject({ missed: expect.stringContaining('not noticed'), noticed: [] });
    const unloadable = { ...bug, find: 'export class Encoding', replace: 'class Encoding' };
    expect(await huntFor(unloadable)).toMatchObject({ missed: expect.stringContaining('Encoding'), noticed: [] });
  }, 120_000);
});
