/** A straight line through a series of measurements. */
export interface Trend {
  /** Change of the value for each unit of time. */
  readonly slope: number;
  /** How many standard errors the slope is away from none. */
  readonly tStatistic: number;
}

export interface Measurement {
  readonly at: number;
  readonly value: number;
}

/** Ordinary least squares. */
export function trendOf(series: readonly Measurement[]): Trend {
  const count = series.length;
  if (count < 3) return { slope: 0, tStatistic: 0 };
  const meanAt = mean(series.map(({ at }) => at));
  const meanValue = mean(series.map(({ value }) => value));
  const spread = sum(series.map(({ at }) => (at - meanAt) ** 2));
  const slope = sum(series.map(({ at, value }) => (at - meanAt) * (value - meanValue))) / spread;
  const residues = series.map(({ at, value }) => (value - meanValue - slope * (at - meanAt)) ** 2);
  const standardError = Math.sqrt(sum(residues) / (count - 2) / spread);
  return { slope, tStatistic: standardError === 0 ? Math.sign(slope) * Infinity : slope / standardError };
}

/** Beyond this, chance makes a slope in fewer than one of a thousand flat series. */
const SIGNIFICANT = 3.3;

/**
 * Whether a series grows: its slope is no accident, and amounts to more than is allowed over the whole time. Both are
 * asked, as a long series makes the smallest slope significant, and a noisy one makes a large slope by chance.
 */
export function grows(series: readonly Measurement[], allowed: number): boolean {
  const { slope, tStatistic } = trendOf(series);
  const lasted = (series.at(-1)?.at ?? 0) - (series[0]?.at ?? 0);
  return tStatistic > SIGNIFICANT && slope * lasted > allowed;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
