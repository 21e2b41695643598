import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Acls, type Entity, parseAcls } from './acls.ts';
import { ACTIONS, isAction } from './actions.ts';
import { authorize } from './authorize.ts';

const acls = (value: unknown): Acls => parseAcls(JSON.stringify(value));
const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };
const some = (...values: string[]) => ({ values });

describe('ACLs', () => {
  it('allow what no rule speaks of, unless they are not permissive', () => {
    expect(authorize(acls({}), 'run_tasks', 'alice', 'root')).toBe(true);
    expect(authorize(acls({ permissive: false }), 'run_tasks', 'alice', 'root')).toBe(false);
  });

  it('follow the first rule that matches (examples of Mesos’ documentation)', () => {
    const rules = acls({
      permissive: true,
      run_tasks: [
        { principals: some('foo', 'bar'), users: some('alice') },
        { principals: ANY, users: some('guest') },
        { principals: NONE, users: ANY },
      ],
      register_frameworks: [
        { principals: some('foo'), roles: some('analytics', 'ads') },
        { principals: NONE, roles: some('analytics') },
      ],
      teardown_frameworks: [
        { principals: some('ops'), framework_principals: ANY },
        { principals: ANY, framework_principals: NONE },
      ],
    });
    expect(authorize(rules, 'run_tasks', 'foo', 'alice')).toBe(true);
    expect(authorize(rules, 'run_tasks', 'baz', 'alice')).toBe(false);
    expect(authorize(rules, 'run_tasks', 'baz', 'guest')).toBe(true);
    expect(authorize(rules, 'run_tasks', undefined, 'guest')).toBe(true);
    expect(authorize(rules, 'run_tasks', undefined, 'alice')).toBe(false);
    expect(authorize(rules, 'register_frameworks', 'foo', 'ads')).toBe(true);
    expect(authorize(rules, 'register_frameworks', 'baz', 'analytics')).toBe(false);
    expect(authorize(rules, 'register_frameworks', 'baz', 'web')).toBe(true);
    expect(authorize(rules, 'teardown_frameworks', 'ops', 'foo')).toBe(true);
    expect(authorize(rules, 'teardown_frameworks', 'foo', 'foo')).toBe(false);
  });

  it('read `eng/%` as all roles below `eng`', () => {
    const rules = acls({
      permissive: false,
      view_roles: [{ principals: ANY, roles: some('eng/%') }],
      run_tasks: [{ principals: ANY, users: some('eng/%') }],
    });
    const visible = ['eng/a', 'eng/a/b', 'eng', 'engine/a', 'ops'].filter((role) =>
      authorize(rules, 'view_roles', 'alice', role),
    );
    expect(visible).toEqual(['eng/a', 'eng/a/b']);
    expect(authorize(rules, 'run_tasks', 'alice', 'eng/a')).toBe(false);
  });

  it('know the names that Mesos has given up', () => {
    const rules = acls({ set_quotas: [{ principals: NONE, roles: ANY }] });
    expect(authorize(rules, 'update_quotas', 'alice', 'eng')).toBe(false);
  });

  it.each([
    ['[]', 'the ACLs must be a JSON object'],
    ['{', 'the ACLs are no JSON'],
    ['{"permissive": "no"}', "'permissive' must be true or false"],
    ['{"run_task": []}', "there are no ACLs called 'run_task'"],
    ['{"run_tasks": {}}', "'run_tasks' must be a list"],
    [
      '{"run_tasks": [{"principals": {"type": "ANY"}}]}',
      'run_tasks[0].users must be a JSON object',
    ],
    [
      '{"run_tasks": [{"principals": {"type": "ALL"}, "users": {"type": "ANY"}}]}',
      'run_tasks[0].principals: the type is ANY, NONE or SOME',
    ],
    [
      '{"run_tasks": [{"principals": {}, "users": {"type": "ANY"}}]}',
      "run_tasks[0].principals: 'values' must be a list of texts",
    ],
    [
      '{"get_endpoints": [{"principals": {"type": "ANY"}, "paths": {"values": ["/state"]}}]}',
      "get_endpoints[0]: path '/state' is not an authorizable path",
    ],
    [
      '{"view_flags": [{"principals": {"type": "ANY"}, "flags": {"values": ["zk"]}}]}',
      'view_flags[0].flags: the type must be NONE or ANY',
    ],
    [
      '{"run_tasks": [{"principals": {"type": "ANY"}, "users": {"type": "ANY"}, "x": 1}]}',
      "run_tasks[0]: 'x' is unknown",
    ],
  ])('%s are refused', (text, message) => {
    expect(() => parseAcls(text)).toThrow(message);
  });
});

describe('every decision', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const entity: fc.Arbitrary<Entity> = fc.oneof(
    fc.constant<Entity>({ type: 'ANY' }),
    fc.constant<Entity>({ type: 'NONE' }),
    fc.array(names, { minLength: 1, maxLength: 3 }).map(
      (values): Entity => ({
        ...{ type: 'SOME', values },
      }),
    ),
  );
  const rules = fc.array(fc.record({ principals: entity, objects: entity }), { maxLength: 5 });
  const asked = fc.option(names, { nil: undefined });
  const action = fc.constantFrom(...Object.keys(ACTIONS).filter(isAction));

  it('is that of the tables in Mesos’ local authorizer', () => {
    fc.assert(
      fc.property(
        rules,
        fc.boolean(),
        action,
        asked,
        asked,
        (list, permissive, name, who, what) => {
          const result = authorize({ permissive, rules: { [name]: list } }, name, who, what);
          expect(result).toBe(byTables(list, permissive, who, what));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('about one action does not depend on the rules of others', () => {
    fc.assert(
      fc.property(rules, asked, asked, (list, who, what) => {
        const others = { permissive: true, rules: { run_tasks: list } };
        expect(authorize(others, 'view_tasks', who, what)).toBe(true);
      }),
    );
  });
});

/** The two tables as they stand in Mesos' source: rows are requests, columns are rules. */
const MATCHES = { SOME: ['values', true, true], ANY: [false, true, true] } as const;
const ALLOWS = { SOME: ['values', false, true], ANY: [false, false, true] } as const;
const COLUMNS = { SOME: 0, NONE: 1, ANY: 2 } as const;

function byTables(
  list: readonly { readonly principals: Entity; readonly objects: Entity }[],
  permissive: boolean,
  who: string | undefined,
  what: string | undefined,
): boolean {
  const look = (table: typeof MATCHES | typeof ALLOWS, rule: Entity, asked: string | undefined) => {
    const cell = table[asked === undefined ? 'ANY' : 'SOME'][COLUMNS[rule.type]];
    if (cell !== 'values') return cell;
    return rule.type === 'SOME' && asked !== undefined && rule.values.includes(asked);
  };
  for (const { principals, objects } of list) {
    if (!look(MATCHES, principals, who) || !look(MATCHES, objects, what)) continue;
    return look(ALLOWS, principals, who) && look(ALLOWS, objects, what);
  }
  return permissive;
}
