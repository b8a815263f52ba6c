import { describe, expect, it } from '@jest/globals';
import { tenantSlice } from '../../src/dynamodb/index-keys.js';
import {
  policyFor,
  policyText,
  ROLES,
  type PolicyDocument,
  type Role,
  type Scope,
} from '../../src/dynamodb/policies.js';
import { joinedKey, streamKey, userKey } from '../../src/event/stream-id.js';
import { isAllowed, tableArn, type Access } from '../setup/access.js';
import { allows } from '../setup/iam-policy.js';

const tables = { events: 'events', bookkeeping: 'bookkeeping' };
const events = tableArn(tables.events);
const bookkeeping = tableArn(tables.bookkeeping);

const tenant = (tenantId: string): Scope => ({ kind: 'tenant', tenantId });
const policy = (role: Role, scope: Scope) => policyFor(role, { tables, scope });
const SCOPES: readonly Scope[] = [
  tenant('acme'),
  { kind: 'tenant-tag', tag: 'tenant' },
  { kind: 'no-tenant' },
  { kind: 'all-tenants' },
];
const all = ROLES.flatMap((role) => SCOPES.map((scope) => [role, scope.kind, policy(role, scope)] as const));

const query = (resource: string, ...leadingKeys: string[]): Access => ({
  action: 'dynamodb:Query',
  resource,
  leadingKeys,
});
const put = (resource: string, ...leadingKeys: string[]): Access => ({
  action: 'dynamodb:PutItem',
  resource,
  leadingKeys,
});

/** All that a writer and a reader of a tenant ask for. */
function accessesOf(tenantId: string, type = 't#y%pe'): Access[] {
  const stream = streamKey({ tenantId, aggregateType: type, aggregateId: 'i#d' });
  const records = [joinedKey(tenantId, 'command', 'Deposit', 'k#1'), joinedKey(tenantId, 'unique', 'email', 'hash')];
  return [
    put(events, stream),
    query(events, stream),
    ...records.flatMap((key) => [put(bookkeeping, key), query(bookkeeping, key)]),
    query(`${events}/index/tenant`, tenantSlice(tenantId, type, 0)),
    query(`${events}/index/user`, userKey(tenantId, 'u#1')),
  ];
}

const policiesOf = (scope: Scope) => [policy('writer', scope), policy('reader', scope)];

describe('the policy of a tenant', () => {
  const characters = ['a', '*', '?', '#', '%', '$', '{', '}'];
  const words = characters.flatMap((first) => characters.map((second) => first + second));
  const named = [
    'acme',
    'ACME',
    'acme2',
    'a#b',
    'a%23b',
    'a%2523b',
    'a%25',
    '%2',
    '%23',
    '${x}',
    '${*}',
    '${?}',
    '${$}',
  ];
  const others = [
    '$${*}',
    '${aws:userid}',
    'a\nb',
    'é',
    'e\u0301',
    '😀',
    '😀😀',
    ' ',
    'a b',
    'a/b',
    'a:b',
    '.',
    '[a]',
    '\\',
  ];
  const tenants = [...characters, ...words, ...named, ...others, '^a$', 'a|b'].map((name) => ({
    name,
    policies: policiesOf(tenant(name)),
    accesses: accessesOf(name),
  }));

  it('allows the keys of that tenant, and never those of another', () => {
    const wrong: unknown[] = [];
    for (const { name: owner, policies } of tenants) {
      for (const { name: other, accesses } of tenants) {
        const allowed = accesses.filter((access) => isAllowed(policies, access));
        if (allowed.length !== (owner === other ? accesses.length : 0)) wrong.push({ owner, other, allowed });
      }
    }
    expect(wrong).toEqual([]);
    expect(tenants.length ** 2).toBeGreaterThan(9000);
  }, 60_000);

  it('allows no keys without a tenant, nor does theirs allow those of a tenant', () => {
    const without = [
      put(events, '#account#a'),
      query(events, '#account#a'),
      put(bookkeeping, joinedKey(undefined, 'command', 'Deposit', 'k')),
      query(`${events}/index/user`, userKey(undefined, 'u')),
      query(`${events}/index/feed`, 'account#0'),
    ];
    for (const { policies, accesses } of tenants) {
      expect(without.filter((access) => isAllowed(policies, access))).toEqual([]);
      expect(accesses.filter((access) => isAllowed(policiesOf({ kind: 'no-tenant' }), access))).toEqual([]);
    }
    expect(without.filter((access) => !isAllowed(policiesOf({ kind: 'no-tenant' }), access))).toEqual([]);
  });

  it('is that of a tagged session, where the tag is the name; an empty tag or none allows nothing', () => {
    const tagged = policiesOf({ kind: 'tenant-tag', tag: 'tenant' });
    const keys = ['acme', 'acm', 'acme2', 'a b'].flatMap((name) => accessesOf(name));
    for (const name of ['acme', 'a b']) {
      expect(keys.filter((access) => isAllowed(tagged, access, { tenant: name }))).toEqual(accessesOf(name));
    }
    const anyKeys = [...keys, put(events, '#account#a'), query(`${events}/index/user`, '#u')];
    for (const tags of [{ tenant: '' }, {}, { other: 'acme' }]) {
      expect(anyKeys.filter((access) => isAllowed(tagged, access, tags))).toEqual([]);
    }
  });

  it('needs a tenant and a tag that can be', () => {
    expect(() => policy('writer', tenant(''))).toThrow('tenantId must not be empty');
    expect(() => policy('writer', { kind: 'tenant-tag', tag: 'a}' })).toThrow('name of a session tag');
    expect(() => policy('writer', { kind: 'tenant-tag', tag: '' })).toThrow('name of a session tag');
  });
});

describe('each policy', () => {
  it.each(all)('of a %s (%s) lets no event be changed or deleted', (_, __, document) => {
    const actions = ['UpdateItem', 'DeleteItem', 'BatchWriteItem', 'PartiQLUpdate', 'PartiQLDelete', 'DeleteTable'];
    for (const action of actions) {
      for (const leadingKeys of [['acme#a#b'], ['#a#b'], undefined]) {
        const access = { action: `dynamodb:${action}`, resource: events, ...(leadingKeys && { leadingKeys }) };
        expect([action, isAllowed([document], access, { tenant: 'acme' })]).toEqual([action, false]);
      }
    }
  });

  it.each(all.filter(([role]) => role !== 'writer'))('of a %s (%s) lets no event be written', (_, __, document) => {
    for (const key of ['acme#a#b', '#a#b']) {
      expect(isAllowed([document], put(events, key), { tenant: 'acme' })).toBe(false);
    }
  });

  it.each(all.filter(([role, kind]) => role !== 'relay' && kind !== 'all-tenants'))(
    'of a %s (%s) allows no data request without a key, nor with one key too many',
    (_, kind, document) => {
      const own = kind === 'no-tenant' ? '#a' : 'acme#a';
      for (const resource of [events, bookkeeping, `${events}/index/tenant`, `${events}/index/user`]) {
        for (const action of ['Query', 'PutItem', 'DeleteItem', 'Scan']) {
          for (const leadingKeys of [undefined, [], [own, 'other#a']]) {
            const access = { action: `dynamodb:${action}`, resource, ...(leadingKeys && { leadingKeys }) };
            expect([access, isAllowed([document], access, { tenant: 'acme' })]).toEqual([access, false]);
          }
        }
      }
    },
  );

  it.each(all)('of a %s (%s) names its tables, and no others', (role, _, document) => {
    const places = ['events2', 'event', 'x/events', 'bookkeeping2'].map(tableArn);
    const actions = document.Statement.flatMap(({ Action }) => Action);
    for (const resource of [...places, ...places.map((place) => `${place}/index/user`)]) {
      for (const action of actions) {
        const access = { action, resource, leadingKeys: [role === 'relay' ? '#parked#a' : 'acme#a'] };
        expect([access, isAllowed([document], access, { tenant: 'acme' })]).toEqual([access, false]);
      }
    }
  });

  it('is for the tables of any account and region, or of the given ones, by the names that AWS has there', () => {
    const resources = (place: object) =>
      policyFor('writer', { tables: { events: 'e*', bookkeeping: 'b' }, scope: tenant('t'), ...place }).Statement[0]!
        .Resource;
    expect(resources({})).toEqual(['arn:aws:dynamodb:*:*:table/e${*}']);
    expect(resources({ account: '123456789012', region: 'eu-central-1' })).toEqual([
      'arn:aws:dynamodb:eu-central-1:123456789012:table/e${*}',
    ]);
    expect(resources({ region: 'cn-north-1' })).toEqual(['arn:aws-cn:dynamodb:cn-north-1:*:table/e${*}']);
    expect(resources({ region: 'us-gov-west-1' })).toEqual(['arn:aws-us-gov:dynamodb:us-gov-west-1:*:table/e${*}']);
  });

  it('is written with the characters that IAM takes', () => {
    const document = policy('reader', tenant('é😀\u007f'));
    expect(policyText(document)).toMatch(/^[\n -~]+$/);
    expect(JSON.parse(policyText(document))).toEqual(document);
  });
});

describe('the policy of a relay', () => {
  const relay = [policy('relay', { kind: 'all-tenants' })];

  it('reads events, their feed and their stream, and keeps what subscriptions keep', () => {
    expect(isAllowed(relay, query(`${events}/index/feed`, 'account#0'))).toBe(true);
    for (const action of ['DescribeStream', 'GetShardIterator', 'GetRecords']) {
      const resource = `${events}/stream/2026-01-01T00:00:00.000`;
      expect(isAllowed(relay, { action: `dynamodb:${action}`, resource })).toBe(true);
    }
    expect(isAllowed(relay, query(events, 'acme#account#a'))).toBe(true);
    for (const key of [
      '#workers',
      '#subscription#p',
      '#control#p',
      '#parked#p',
      '#position#p#h',
      'acme#position#p#h',
    ]) {
      expect(isAllowed(relay, put(bookkeeping, key))).toBe(true);
    }
    expect(isAllowed(relay, put(bookkeeping, 'acme#command#Deposit#k'))).toBe(false);
    expect(isAllowed(relay, put(bookkeeping, '#command#Deposit#k'))).toBe(false);
    expect(isAllowed(relay, put(events, 'acme#account#a'))).toBe(false);
    for (const place of [`${events}/index/tenant`, `${events}/index/user`]) {
      expect(isAllowed(relay, query(place, '#a'))).toBe(false);
    }
  });
});

describe('the evaluation of policies in tests', () => {
  const context = { one: 'a*b', many: ['x', 'y'] };
  const document = (statement: object): PolicyDocument[] => [
    {
      Version: '2012-10-17',
      Statement: [{ Sid: 's', Effect: 'Allow', Action: ['s:Do*'], Resource: ['arn:x/?/*'], ...statement }],
    },
  ];
  const decides = (statement: object, request: object = {}) =>
    allows(document(statement), { action: 's:DoIt', resource: 'arn:x/y/z/z', context, ...request });

  it.each<[string, object, boolean]>([
    ['no condition', {}, true],
    ['a pattern', { StringLike: { one: 'a*' } }, true],
    ['another pattern', { StringLike: { one: ['b*', '?'] } }, false],
    ['an escaped wildcard', { StringLike: { one: 'a${*}b' } }, true],
    ['an escaped wildcard that is not there', { StringLike: { one: '${*}' } }, false],
    ['a variable', { 'ForAllValues:StringLike': { many: ['${one}', 'x', 'y'] } }, true],
    ['a variable as text', { StringEquals: { one: '${one}' } }, true],
    ['a variable without a value', { StringLike: { one: ['${none}*', '*${none}'] } }, false],
    ['an equal text', { StringEquals: { one: 'a*b' } }, true],
    ['wildcards where texts must be equal', { StringEquals: { one: 'a*' } }, false],
    ['a key that is missing', { StringLike: { none: '*' } }, false],
    ['all of several values', { 'ForAllValues:StringEquals': { many: ['x', 'y', 'z'] } }, true],
    ['one of several values', { 'ForAllValues:StringLike': { many: ['x'] } }, false],
    ['all values of none', { 'ForAllValues:StringLike': { none: ['x'] } }, true],
    ['a key that must be there', { Null: { many: 'false' } }, true],
    ['a key that must be there, and is not', { Null: { none: 'false' } }, false],
    ['a key that must be missing', { Null: { none: 'true' } }, true],
    ['two conditions, one of them false', { Null: { many: 'false' }, StringLike: { one: 'b' } }, false],
  ])('knows %s', (_, Condition, expected) => {
    expect(decides({ Condition })).toBe(expected);
  });

  it('knows actions, resources and denials, and refuses what it does not know', () => {
    expect(decides({}, { action: 's:Undo' })).toBe(false);
    expect(decides({}, { resource: 'arn:x/yy/z' })).toBe(false);
    expect(
      allows([...document({}), ...document({ Effect: 'Deny' })], { action: 's:Do', resource: 'arn:x/y/', context }),
    ).toBe(false);
    expect(() => decides({ Condition: { StringNotLike: { one: 'a' } } })).toThrow('not evaluated');
    expect(() => decides({ NotAction: ['s:x'] })).toThrow('not evaluated');
    expect(() => decides({ Effect: 'Maybe' })).toThrow('no effect');
  });
});
