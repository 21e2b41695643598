import type { AgentInfoCapabilityType } from '../protocol/index.ts';

/** The version of Mesos whose behaviour this agent follows. */
export const MESOS_VERSION = '1.12.0';

/** What the agent can do, as it tells the master. */
export const AGENT_CAPABILITIES: readonly AgentInfoCapabilityType[] = [
  'MULTI_ROLE',
  'HIERARCHICAL_ROLE',
  'RESERVATION_REFINEMENT',
  'RESIZE_VOLUME',
  'AGENT_OPERATION_FEEDBACK',
];
