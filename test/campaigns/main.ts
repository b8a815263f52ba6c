import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { dynamoDbEndpoint } from '../../scripts/dynamodb-local.js';
import type { Campaign, CampaignOptions } from './campaign.js';

/**
 * Runs one campaign, `npm run torture -- --commands 100000 --seed 7`, or all of them, `npm run campaigns`. Ends with 1
 * when a promise was broken.
 *
 * Without `--endpoint` or DYNAMODB_ENDPOINT it starts DynamoDB Local. With the address of AWS, it takes region and
 * credentials from the environment, and deletes the tables that it made at the end.
 */

const CAMPAIGNS: Readonly<Record<string, () => Promise<Campaign>>> = {
  torture: async () => (await import('./torture.js')).torture,
  'fault-matrix': async () => (await import('./fault-matrix.js')).faultMatrix,
  'crash-torture': async () => (await import('./crash-torture.js')).crashTorture,
  'model-check': async () => (await import('./model-check.js')).modelCheck,
  fuzz: async () => (await import('./fuzz.js')).fuzz,
  'history-check': async () => (await import('./history-check.js')).historyCheck,
  'key-check': async () => (await import('./key-check.js')).keyCheck,
  repeats: async () => (await import('./repeats.js')).repeats,
  'query-check': async () => (await import('./query-check.js')).queryCheck,
  'feed-check': async () => (await import('./feed-check.js')).feedCheck,
  'view-torture': async () => (await import('./view-torture.js')).viewTorture,
  soak: async () => (await import('./soak.js')).soak,
};

const SHOW_EVERY_MS = 3_000;
const VIOLATIONS_SHOWN = 20;

type Values = Readonly<Record<string, number | string | boolean>>;

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  if (name === 'all') return runAll(args);
  const load = CAMPAIGNS[name];
  if (!load) {
    console.error(`Which campaign? ${Object.keys(CAMPAIGNS).join(', ')}, or all.`);
    return 2;
  }
  const campaign = await load();
  const values = valuesFrom(args, campaign.defaults);
  if (values.help) {
    const options = Object.entries({ seed: '…', endpoint: '…', ...campaign.defaults });
    console.log(`${campaign.about}\n\nOptions: ${options.map(([option, value]) => `--${option} ${value}`).join(' ')}`);
    return 0;
  }
  return run(name, campaign, values);
}

async function runAll(args: readonly string[]): Promise<number> {
  let worst = 0;
  for (const [name, load] of Object.entries(CAMPAIGNS)) {
    const campaign = await load();
    worst = Math.max(worst, await run(name, campaign, { ...campaign.defaults, ...valuesFrom(args, {}) }));
  }
  return worst;
}

async function run(name: string, campaign: Campaign, values: Values): Promise<number> {
  const { seed, endpoint, ...options } = values;
  if (endpoint) process.env.DYNAMODB_ENDPOINT = String(endpoint);
  const database = await dynamoDbEndpoint();
  const started = performance.now();
  const secondsGone = () => (performance.now() - started) / 1000;
  let shown = started;
  const progress = (done: number, total: number, note = '') => {
    if (performance.now() - shown < SHOW_EVERY_MS) return;
    shown = performance.now();
    const left = done > 0 ? `, ${Math.ceil((secondsGone() / done) * (total - done))} s left` : '';
    console.error(`${name}: ${done} of ${total} in ${Math.round(secondsGone())} s${left} ${note}`);
  };
  try {
    console.error(`${name}: seed ${seed}`);
    const { figures, violations } = await campaign.run(options as CampaignOptions, {
      endpoint: database.endpoint,
      seed: Number(seed),
      progress,
    });
    for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) console.error(`VIOLATION: ${violation}`);
    const all = { ...figures, violations: violations.length, seconds: Math.round(secondsGone()), seed: Number(seed) };
    const line = Object.entries(all).map(([figure, value]) => `${figure} ${value}`);
    console.log(`${name}: ${line.join(', ')}`);
    return violations.length === 0 ? 0 : 1;
  } finally {
    await database.stop();
  }
}

function valuesFrom(args: readonly string[], defaults: CampaignOptions): Values {
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
  return { seed: randomInt(2 ** 31), ...defaults, ...Object.fromEntries(given) } as Values;
}

process.exitCode = await main(process.argv.slice(2));
