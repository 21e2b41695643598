import type { AgentFacts, FrameworkFacts } from '../allocator/index.ts';
import type { DomainInfo, FrameworkInfo } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type Agent, type Framework, hasCapability, rolesOf } from './state.ts';

/** Tells the allocator of a framework: to be called whenever anything of it has changed. */
export function tellAllocator(core: MasterCore, framework: Framework): void {
  const { frameworkGroupLabel } = core.settings;
  core.allocator.putFramework(framework.id, frameworkFacts(framework, frameworkGroupLabel));
}

/** What the allocator has to know of an agent. Pure. */
export function agentFacts(
  { info, total }: Pick<Agent, 'info' | 'total'>,
  masterDomain: DomainInfo | undefined,
): AgentFacts {
  const { hostname, attributes = [], domain } = info;
  const region = masterDomain?.fault_domain?.region.name;
  const ownRegion = domain?.fault_domain?.region.name;
  return {
    identity: { hostname, attributes, domain },
    total,
    isRemote: region !== undefined && ownRegion !== undefined && region !== ownRegion,
  };
}

function frameworkFacts(framework: Framework, groupLabel: string | undefined): FrameworkFacts {
  const { info, stream, suppressedRoles, offerConstraints } = framework;
  return {
    roles: rolesOf(info),
    suppressedRoles: new Set(suppressedRoles),
    isActive: stream !== undefined,
    capabilities: {
      isGpuAware: hasCapability(info, 'GPU_RESOURCES'),
      isRegionAware: hasCapability(info, 'REGION_AWARE'),
      takesRevocable: hasCapability(info, 'REVOCABLE_RESOURCES'),
      takesShared: hasCapability(info, 'SHARED_RESOURCES'),
      takesRefined: hasCapability(info, 'RESERVATION_REFINEMENT'),
    },
    minAllocatable: minimumsOf(info),
    exclusions: offerConstraints?.exclusions,
    group: info.labels?.labels?.find(({ key }) => key === groupLabel)?.value,
  };
}

/** A framework's own minimums (`FrameworkInfo.offer_filters`); `undefined` when it sets none. */
function minimumsOf({ offer_filters }: FrameworkInfo) {
  return offer_filters?.min_allocatable_resources?.quantities?.map(({ quantities = {} }) =>
    Object.fromEntries(Object.entries(quantities).map(([name, { value }]) => [name, value])),
  );
}
