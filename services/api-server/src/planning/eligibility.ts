import { type ClusterSelector, compileRequirements, describeRule } from '@factory/contracts';
import { policyVerdict } from '../policies/rules.ts';
import type { PlanningCluster, PlanningSnapshot } from './store.ts';

/** Whether a batch may be in a cluster at all, whatever room that has. */
export interface Eligibility {
  /** In words, after the cluster's name; absent: it may. */
  readonly refusal?: string;
  /** Before others, whatever room these have. */
  readonly isPreferred: boolean;
}

/** What policy, the batch's own selector and the cluster's state say. Pure. */
export function eligibilityOf(
  { batch, policy }: Pick<PlanningSnapshot, 'batch' | 'policy'>,
  cluster: Pick<PlanningCluster, 'id' | 'name' | 'region' | 'attributes' | 'state'>,
): Eligibility {
  const { state = 'active' } = cluster;
  if (state !== 'active') return { refusal: `is ${state}`, isPreferred: false };
  const unmet = unmetSelector(batch.clusters ?? {}, cluster);
  if (unmet !== undefined) return { refusal: unmet, isPreferred: false };
  if (policy === undefined) return { isPreferred: false };
  const { organisationId, policies } = policy;
  const { projectId } = batch;
  return policyVerdict(policies, { organisationId, projectId }, cluster.id);
}

/** What of the selector does not hold, in words. */
function unmetSelector(
  { names, regions, attributes: rules = [] }: ClusterSelector,
  { name, region = '', attributes = {} }: Pick<PlanningCluster, 'name' | 'region' | 'attributes'>,
): string | undefined {
  if (names !== undefined && !names.includes(name)) return 'is not one of the clusters asked for';
  if (regions !== undefined && !regions.includes(region)) {
    const where = region === '' ? 'in no region' : `in ${region}`;
    return `is ${where}, not in ${regions.join(' or ')}`;
  }
  const own = Object.entries(attributes).map(
    ([key, text]) => ({ name: key, type: 'text', text: String(text) }) as const,
  );
  const unmet = rules.find((rule) => !compileRequirements([rule])(own));
  return unmet === undefined ? undefined : `is not as required (${describeRule(unmet)})`;
}
