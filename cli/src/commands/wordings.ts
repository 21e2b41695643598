import type { AttributeRule, BatchVolume, NicRequest, SecurityRule } from '@factory/contracts';
import { InvalidArgumentError } from 'commander';

/** How a security rule is written. */
export const SECURITY_RULE_WORDING = "'accept|drop in|out tcp|udp|icmp|any [PORT[-PORT]] [CIDR]'";

/** Reads `accept in tcp 8000-8010 10.0.0.0/8`. */
export function parseSecurityRule(text: string): SecurityRule {
  const pattern =
    /^(accept|drop) (in|out) (tcp|udp|icmp|any)(?: (\d{1,5})(?:-(\d{1,5}))?)?(?: ([\d.]+\/\d+))?$/;
  const found = pattern.exec(text.trim().replaceAll(/\s+/g, ' '));
  if (found === null) {
    const example = "'accept in tcp 22' or 'drop out any 10.0.0.0/8'";
    throw new InvalidArgumentError(`It should be ${SECURITY_RULE_WORDING}, like ${example}.`);
  }
  const [, action, direction, protocol, first, last = first, cidr] = found;
  return {
    direction: direction === 'in' ? 'in' : 'out',
    protocol: PROTOCOLS.find((each) => each === protocol) ?? 'any',
    ...(first === undefined ? {} : { ports: [Number(first), Number(last)] }),
    ...(cidr === undefined ? {} : { cidr }),
    action: action === 'accept' ? 'accept' : 'drop',
  };
}

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'any'] as const;

/** The reverse of {@link parseSecurityRule}. */
export function describeSecurityRule(rule: SecurityRule): string {
  const { action, direction, protocol, ports, cidr } = rule;
  const range = ports === undefined ? [] : [ports[0] === ports[1] ? ports[0] : ports.join('-')];
  return [action, direction, protocol, ...range, ...(cidr === undefined ? [] : [cidr])].join(' ');
}

/**
 * Reads what a host's attribute must be: `rack=r1`, `rack=r1,r2` (one of them), `cores>=8`,
 * `cores<=64`, `cpu~EPYC.*` (a regular expression for all of it).
 */
export function parseRequirement(text: string): AttributeRule {
  const [, name = '', operator = '', value = ''] = /^([\w.-]+)(=|~|>=|<=)(.+)$/.exec(text) ?? [];
  const bound = Number(value);
  switch (operator) {
    case '=': {
      const values = value.split(',');
      return values.length === 1 ? { name, op: 'eq', value } : { name, op: 'in', values };
    }
    case '~':
      return { name, op: 'regex', pattern: value };
    case '>=':
      if (Number.isFinite(bound)) return { name, op: 'range', min: bound };
      break;
    case '<=':
      if (Number.isFinite(bound)) return { name, op: 'range', max: bound };
      break;
  }
  const examples = 'rack=r1, rack=r1,r2, cores>=8, cores<=64 or cpu~EPYC.*';
  throw new InvalidArgumentError(`It should be like ${examples}.`);
}

/** Reads a network card: `back`, or `back=10.0.0.7`. */
export function parseNic(text: string): NicRequest {
  const [subnet = '', ipAddress, ...more] = text.split('=');
  if (subnet === '' || ipAddress === '' || more.length > 0) {
    throw new InvalidArgumentError('It should be a subnet, like back, or back=10.0.0.7.');
  }
  return ipAddress === undefined ? { subnet } : { subnet, ipAddress };
}

/** Reads a further resource: `licences=2`. */
export function parseResource(text: string): readonly [name: string, amount: number] {
  const [name = '', amount = '', ...more] = text.split('=');
  const value = Number(amount);
  if (name !== '' && amount !== '' && value > 0 && more.length === 0) return [name, value];
  throw new InvalidArgumentError('It should be a name and an amount, like licences=2.');
}

/** For an option that may be given several times: collects what `parse` makes of each. */
export function each<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

/** `scratch`, `scratch:/data` or `scratch:/data:ro`. @throws InvalidArgumentError */
export function parseVolume(text: string): BatchVolume {
  const match = /^([^:]+)(?::(\/[^:]*))?(:ro)?$/.exec(text);
  const [, volume, path, readOnly] = match ?? [];
  if (volume === undefined) {
    throw new InvalidArgumentError('It should be name, name:/path or name:/path:ro.');
  }
  return {
    volume,
    ...(path === undefined ? {} : { path }),
    ...(readOnly === undefined ? {} : { readOnly: true }),
  };
}
