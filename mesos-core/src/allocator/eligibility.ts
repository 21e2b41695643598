import type { AgentIdentity } from './facts.ts';
import type { SupplyItem } from './supply.ts';
import type { Units } from './units.ts';

/** What frameworks say that they can deal with (FrameworkInfo.Capability). */
export interface Capabilities {
  /** GPU_RESOURCES */
  readonly isGpuAware: boolean;
  /** REGION_AWARE */
  readonly isRegionAware: boolean;
  /** REVOCABLE_RESOURCES */
  readonly takesRevocable: boolean;
  /** SHARED_RESOURCES */
  readonly takesShared: boolean;
  /** RESERVATION_REFINEMENT */
  readonly takesRefined: boolean;
}

/** What one framework asks for under one role. */
export interface ClientTerms {
  readonly capabilities: Capabilities;
  /** It only wants offers that have at least one of these amounts; without any: whatever there is. */
  readonly minimums: readonly Units[];
  /** Agents that the framework's offer constraints keep from it. */
  readonly isExcluded: ((agent: AgentIdentity) => boolean) | undefined;
  /** Where groups are isolated: only frameworks of the same group share an agent. */
  readonly group: string | undefined;
}

/** Of somebody who wants nothing. */
export const NO_TERMS: ClientTerms = {
  capabilities: {
    isGpuAware: false,
    isRegionAware: false,
    takesRevocable: false,
    takesShared: false,
    takesRefined: false,
  },
  minimums: [],
  isExcluded: undefined,
  group: undefined,
};

/** Whether a framework with these capabilities is offered anything of such an agent. */
export function canUseAgent(
  capabilities: Capabilities,
  agent: { readonly hasGpus: boolean; readonly isRemote: boolean },
  isGpuFiltered: boolean,
): boolean {
  if (agent.hasGpus && isGpuFiltered && !capabilities.isGpuAware) return false;
  return !agent.isRemote || capabilities.isRegionAware;
}

/** Whether a framework may have the resource under the role: roles inherit from their ancestors. */
export function canUseItem(capabilities: Capabilities, role: string, item: SupplyItem): boolean {
  if (item.isShared && !capabilities.takesShared) return false;
  if (item.isRevocable && !capabilities.takesRevocable) return false;
  if (item.isRefined && !capabilities.takesRefined) return false;
  const { reservedFor } = item;
  return reservedFor === '*' || reservedFor === role || role.startsWith(`${reservedFor}/`);
}

/** Whether the amounts have at least one of the minimums in full; without any, something will do. */
export function hasMinimum(units: Units, minimums: readonly Units[]): boolean {
  if (!units.some((count) => count > 0)) return false;
  if (minimums.length === 0) return true;
  return minimums.some((minimum) =>
    minimum.every((least, index) => least <= 0 || (units[index] ?? 0) >= least),
  );
}
