import { isDeepStrictEqual } from 'node:util';
import {
  type AgentInfo,
  type Attribute,
  containsResources,
  equalResources,
} from '../protocol/index.ts';
import { configuredChange } from './checkpoint/records.ts';
import type { AgentContext } from './context.ts';

/** `equal` and `additive` are Mesos' own. */
export type ReconfigurationPolicy = 'equal' | 'additive' | 'any';

/** What the flags of a start say that the agent is; what changes while it runs is not in it. */
export type ConfiguredInfo = Pick<
  AgentInfo,
  'hostname' | 'port' | 'domain' | 'resources' | 'attributes'
>;

/** The flags differ from those of the agent's earlier life by more than its policy allows. */
export class ReconfigurationError extends Error {
  readonly code = 'MESOS_ERR_RECONFIGURATION';
  constructor(policy: ReconfigurationPolicy, what: string) {
    super(
      `Incompatible agent info detected: ${what}, which --reconfiguration_policy=${policy} does not ` +
        'permit. To start this agent under a new id instead, run it once with --recover=cleanup.',
    );
    this.name = 'ReconfigurationError';
  }
}

/**
 * Compares the flags with those of the start before, if its policy was not `any`, and remembers them for
 * the next.
 * @throws ReconfigurationError
 */
export function acceptConfiguration(
  { state, settings, address, spawn, commit }: AgentContext,
  described: Required<Pick<ConfiguredInfo, 'resources' | 'attributes'>>,
): void {
  const { domain, reconfigurationPolicy: policy } = settings;
  const { hostname, port } = address;
  const location = domain === undefined ? {} : { domain };
  const configured = { hostname, port, ...location, ...described };
  // Where everything is permitted there is nothing to remember.
  const wanted = policy === 'any' ? undefined : configured;
  if (isDeepStrictEqual(wanted, state.configured)) return;
  const before = state.agentId === undefined ? undefined : state.configured;
  const problem = before && reconfigurationProblem(policy, before, configured);
  if (problem !== undefined) throw new ReconfigurationError(policy, problem);
  state.configured = wanted;
  spawn(commit([configuredChange(wanted)]));
}

/** What the policy does not permit of a change of flags; `undefined` when it permits all of it. Pure. */
export function reconfigurationProblem(
  policy: ReconfigurationPolicy,
  before: ConfiguredInfo,
  after: ConfiguredInfo,
): string | undefined {
  if (policy === 'any') return undefined;
  if (before.hostname !== after.hostname) {
    return `the hostname changed from ${before.hostname} to ${after.hostname}`;
  }
  if (before.port !== after.port) return `the port changed from ${before.port} to ${after.port}`;
  if (!isSameDomain(before, after) && (policy === 'equal' || before.domain !== undefined)) {
    return 'the domain changed';
  }
  const [had, has] = [before.resources ?? [], after.resources ?? []];
  const [knew, knows] = [before.attributes ?? [], after.attributes ?? []];
  if (policy === 'equal') {
    if (!equalResources(had, has)) return 'the resources changed';
    const isSame = knew.length === knows.length && containsAttributes(knows, knew);
    return isSame ? undefined : 'the attributes changed';
  }
  if (!containsResources(has, had)) return 'resources were taken away';
  return containsAttributes(knows, knew) ? undefined : 'attributes were changed or taken away';
}

function isSameDomain(before: ConfiguredInfo, after: ConfiguredInfo): boolean {
  return JSON.stringify(before.domain) === JSON.stringify(after.domain);
}

function containsAttributes(all: readonly Attribute[], some: readonly Attribute[]): boolean {
  const texts = new Set(all.map((each) => JSON.stringify(each)));
  return some.every((each) => texts.has(JSON.stringify(each)));
}
