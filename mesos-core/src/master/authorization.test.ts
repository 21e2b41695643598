import { describe, expect, it } from 'vitest';
import { type OfferOperation, parseResources, type Resources } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import { checkAgent, operationRefusal } from './authorization.ts';

const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };
const authorizer = (acls: object) => createAuthorizer(parseAcls(JSON.stringify(acls)));
const caller = (value: string) => ({ value, claims: {} });

describe('an agent that registers', () => {
  const total_resources = parseResources('cpus:1;mem(eng):2');

  it('has to be allowed to', () => {
    const register_agents = [
      { principals: { values: ['agent'] }, agents: ANY },
      { principals: NONE, agents: ANY },
    ];
    const acls = authorizer({ register_agents });
    expect(() => checkAgent(acls, caller('agent'), { total_resources })).not.toThrow();
    const why = 'Not authorized to register agent';
    expect(() => checkAgent(acls, caller('other'), { total_resources })).toThrow(why);
    expect(() => checkAgent(acls, undefined, { total_resources })).toThrow(why);
  });

  it('has to be allowed to reserve what its flags reserve', () => {
    const acls = authorizer({
      reserve_resources: [{ principals: { values: ['agent'] }, roles: NONE }],
    });
    expect(() => checkAgent(acls, caller('agent'), { total_resources })).toThrow('Not authorized');
    const unreserved = { total_resources: parseResources('cpus:1') };
    expect(() => checkAgent(acls, caller('agent'), unreserved)).not.toThrow();
  });
});

describe('RESERVE of what is reserved already', () => {
  const cpus = (...roles: readonly (readonly [role: string, principal: string])[]): Resources =>
    parseResources('cpus:1').map((each) => ({
      ...each,
      reservations: roles.map(([role, principal]) => ({ type: 'DYNAMIC', role, principal })),
    }));
  const framework = { name: 'f', user: 'root', principal: 'thief' };
  const reserve = (source: Resources, resources: Resources): OfferOperation => ({
    type: 'RESERVE',
    reserve: { source, resources },
  });

  it('needs what taking away needs, of each reservation that is not kept', () => {
    const acls = authorizer({
      unreserve_resources: [
        { principals: ANY, reserver_principals: { values: ['thief'] } },
        { principals: NONE, reserver_principals: ANY },
      ],
    });
    const kept = ['eng', 'owner'] as const;
    const steal = reserve(cpus(kept), cpus(['thieves', 'thief']));
    expect(operationRefusal(acls, framework, steal)).toBe(
      "Not authorized to unreserve resources as 'thief'",
    );
    const own = reserve(cpus(kept, ['eng/a', 'thief']), cpus(kept, ['eng/b', 'thief']));
    expect(operationRefusal(acls, framework, own)).toBeUndefined();
  });

  it('needs what reserving needs, of each reservation that is new', () => {
    const acls = authorizer({
      reserve_resources: [{ principals: ANY, roles: { values: ['eng/a'] } }],
      permissive: false,
    });
    const both = reserve(cpus(), cpus(['eng', 'thief'], ['eng/a', 'thief']));
    expect(operationRefusal(acls, framework, both)).toBe(
      "Not authorized to reserve resources as 'thief'",
    );
  });
});
