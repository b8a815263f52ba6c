import { describe, expect, it } from '@jest/globals';
import { Random } from '../random.js';
import { grows, trendOf } from './trend.js';

describe('the trend of a series', () => {
  const series = (value: (at: number) => number) => Array.from({ length: 100 }, (_, at) => ({ at, value: value(at) }));
  const random = new Random(7);
  const noise = (size: number) => (random.next() - 0.5) * size;

  it('is the slope of the line through it', () => {
    expect(trendOf(series((at) => 3 * at + 5)).slope).toBeCloseTo(3);
    expect(trendOf(series(() => 5))).toMatchObject({ slope: 0 });
  });

  it('tells growth from noise', () => {
    expect(
      grows(
        series((at) => 1000 + 0.5 * at + noise(20)),
        10,
      ),
    ).toBe(true);
    expect(
      grows(
        series(() => 1000 + noise(200)),
        10,
      ),
    ).toBe(false);
  });

  it('allows growth that is too small to matter, and shrinking', () => {
    expect(
      grows(
        series((at) => 0.01 * at),
        10,
      ),
    ).toBe(false);
    expect(
      grows(
        series((at) => -at),
        10,
      ),
    ).toBe(false);
    expect(grows([], 10)).toBe(false);
  });
});
