import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { dynamoDbEndpoint } from '../../scripts/dynamodb-local.js';
import type { Campaign, CampaignOptions } from './campaign.js';

/** Runs one campaign: `npm run torture -- --commands 100000 --seed 7`. Ends with 1 when a promise was broken. */

const CAMPAIGNS: Readonly<Record<string, () => Promise<Campaign>>> = {};

const SHOW_EVERY_MS = 3_000;

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const load = CAMPAIGNS[name];
  if (!load) {
    console.error(`Which campaign? ${Object.keys(CAMPAIGNS).join(', ')}`);
    return 2;
  }
  const campaign = await load();
  const { seed, endpoint, help, ...options } = optionsFrom(args, campaign.defaults);
  if (help) {
    console.log(
      `${campaign.about}\n\nOptions: ${['seed', 'endpoint', ...Object.keys(campaign.defaults)].map((option) => `--${option} ${campaign.defaults[option] ?? '…'}`).join(' ')}`,
    );
    return 0;
  }
  if (endpoint) process.env.DYNAMODB_ENDPOINT = String(endpoint);
  const database = await dynamoDbEndpoint();
  const started = performance.now();
  let shown = started;
  const progress = (done: number, total: number, note = '') => {
    if (performance.now() - shown < SHOW_EVERY_MS) return;
    shown = performance.now();
    const seconds = (shown - started) / 1000;
    const left = done > 0 ? `, ${Math.ceil((seconds / done) * (total - done))} s left` : '';
    console.error(`${name}: ${done} of ${total} in ${Math.round(seconds)} s${left} ${note}`);
  };
  try {
    console.error(`${name}: seed ${seed}`);
    const { figures, violations } = await campaign.run(options as CampaignOptions, {
      endpoint: database.endpoint,
      seed: Number(seed),
      progress,
    });
    for (const violation of violations.slice(0, 20)) console.error(`VIOLATION: ${violation}`);
    const shownFigures = {
      ...figures,
      violations: violations.length,
      seconds: Math.round((performance.now() - started) / 1000),
      seed: Number(seed),
    };
    console.log(
      `${name}: ${Object.entries(shownFigures)
        .map(([figure, value]) => `${figure} ${value}`)
        .join(', ')}`,
    );
    return violations.length === 0 ? 0 : 1;
  } finally {
    await database.stop();
  }
}

function optionsFrom(args: readonly string[], defaults: CampaignOptions): Record<string, number | string | boolean> {
  const names = [...Object.keys(defaults), 'seed', 'endpoint'];
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(names.map((option) => [option, { type: 'string' as const }])),
      help: { type: 'boolean' as const },
    },
  });
  const given = Object.entries(values).map(([option, value]) => {
    if (typeof defaults[option] !== 'number' && option !== 'seed') return [option, value];
    const number = Number(value);
    if (!Number.isFinite(number)) throw new TypeError(`--${option} must be a number.`);
    return [option, number];
  });
  return { seed: randomInt(2 ** 31), ...defaults, ...Object.fromEntries(given) };
}

process.exitCode = await main(process.argv.slice(2));
