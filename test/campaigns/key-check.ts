import { joinedKey, streamKey, tenantKey, type StreamId } from '../../src/event/stream-id.js';
import { campaign } from './campaign.js';
import { Random } from './random.js';

const DEFAULTS = { triples: 1_000_000 };

/** Separators, what they are escaped to, parts of that, and texts that look alike. */
const PIECES = ['#', '%', '%23', '%25', '2', '3', '5', 'a', 'A', '\\', '/', ':', '|', ' ', '\0', '\u200b', 'é', 'e\u0301', 'ß', 'ss', 'Å', 'Å', '😀', '\ufeff', '\uffff', 'null', 'undefined']; // prettier-ignore

const LONGEST = 4;

export const keyCheck = campaign({
  about: 'Makes triples of tenant, type and id of everything that could confuse a key: no two of them may share one.',
  defaults: DEFAULTS,

  async run({ triples }, { seed, progress }) {
    const random = new Random(seed);
    const text = () => Array.from({ length: 1 + random.below(LONGEST) }, () => random.pick(PIECES)).join('');
    const seen = new Set<string>();
    const owners = new Map<string, string>();
    const violations: string[] = [];
    while (seen.size < triples) {
      const tenantId = random.chance(0.2) ? undefined : text();
      const stream: StreamId = {
        ...(tenantId !== undefined && { tenantId }),
        aggregateType: text(),
        aggregateId: text(),
      };
      const triple = JSON.stringify([tenantId ?? null, stream.aggregateType, stream.aggregateId]);
      if (seen.has(triple)) continue;
      seen.add(triple);
      const key = streamKey(stream);
      const other = owners.get(key);
      if (other) violations.push(`${triple} and ${other} share the key ${JSON.stringify(key)}.`);
      owners.set(key, triple);
      const tenantsOwn = `${tenantKey(tenantId)}#`;
      const beside = joinedKey(tenantId, 'unique', stream.aggregateType, stream.aggregateId);
      if (!key.startsWith(tenantsOwn) || !beside.startsWith(tenantsOwn) || tenantsOwn.slice(0, -1).includes('#')) {
        violations.push(`${triple}: its keys do not begin with the tenant and a separator.`);
      }
      progress(seen.size, triples, 'triples');
    }
    return { violations, figures: { triples: seen.size, keys: owners.size } };
  },
});
