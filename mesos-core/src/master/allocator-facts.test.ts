import { describe, expect, it } from 'vitest';
import type { DomainInfo } from '../protocol/index.ts';
import { agentFacts } from './allocator-facts.ts';

function domain(region: string): DomainInfo {
  return { fault_domain: { region: { name: region }, zone: { name: 'a' } } };
}

/** Whether an agent there counts as remote to a master there. */
function isRemote(agent: DomainInfo | undefined, master: DomainInfo | undefined): boolean {
  return agentFacts({ info: { hostname: 'host', domain: agent }, total: [] }, master).isRemote;
}

describe('an agent', () => {
  it('is remote when it and the master name different regions', () => {
    expect(isRemote(domain('us'), domain('eu'))).toBe(true);
    expect(isRemote(domain('eu'), domain('eu'))).toBe(false);
  });

  it('is not when either names none', () => {
    expect(isRemote(undefined, domain('eu'))).toBe(false);
    expect(isRemote(domain('us'), undefined)).toBe(false);
  });
});
