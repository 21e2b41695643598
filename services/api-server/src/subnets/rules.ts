import type { SecurityRule, SubnetChange, SubnetRequest } from '@factory/contracts';
import { BadCidrError, checkSubnetCidr, parseCidr } from './addresses.ts';
import type { NewSubnet, SubnetPatch } from './store.ts';

/** What is wrong with a field. */
export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

/** The part of a subnet that its request decides. */
export type SubnetWish = Pick<
  NewSubnet,
  'name' | 'cidr' | 'egress' | 'dnsDomain' | 'securityRules'
>;

/** The rules between the fields of a request whose fields are each valid, and the defaults. */
export function ruleSubnet(request: SubnetRequest): SubnetWish | FieldProblem {
  const { name, cidr, egress = 'none', dnsDomain, securityRules = [] } = request;
  const problem =
    problemOf('cidr', () => checkSubnetCidr(cidr)) ?? ruleSecurityRules(securityRules);
  return (
    problem ?? { name, cidr, egress, dnsDomain: dnsDomain ?? defaultDomain(name), securityRules }
  );
}

/** The same for a change. */
export function ruleSubnetChange(change: SubnetChange): SubnetPatch | FieldProblem {
  return ruleSecurityRules(change.securityRules ?? []) ?? change;
}

/** `internal` is nobody's domain in the world (ICANN, 2024). */
export function defaultDomain(name: string): string {
  return `${name}.internal`;
}

/** The first rule that makes no sense; `undefined` when all do. */
export function ruleSecurityRules(rules: readonly SecurityRule[]): FieldProblem | undefined {
  for (const [index, { protocol, ports, cidr }] of rules.entries()) {
    const field = `securityRules[${index}]`;
    if (ports !== undefined && protocol !== 'tcp' && protocol !== 'udp') {
      const detail = `ports go with tcp or udp, not with ${protocol}`;
      return { field: `${field}.ports`, detail };
    }
    if (ports !== undefined && ports[0] > ports[1]) {
      const detail = `ports are the first and the last: [${ports[1]}, ${ports[0]}]`;
      return { field: `${field}.ports`, detail };
    }
    const problem = cidr && problemOf(`${field}.cidr`, () => parseCidr(cidr));
    if (problem) return problem;
    if (cidr === '') return { field: `${field}.cidr`, detail: 'leave cidr out for anybody' };
  }
  return undefined;
}

function problemOf(field: string, check: () => unknown): FieldProblem | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof BadCidrError) return { field, detail: error.message };
    throw error;
  }
}
