import type { ClusterId, OrganisationId, ProjectId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClusterPolicy, policyVerdict } from './rules.ts';

const ORGANISATION = 'org_a' as OrganisationId;
const PROJECT = 'prj_a' as ProjectId;
const us = { organisationId: ORGANISATION, projectId: PROJECT };
const others = { organisationId: 'org_b' as OrganisationId, projectId: 'prj_b' as ProjectId };
const [A, B] = ['clu_a', 'clu_b'] as ClusterId[] as [ClusterId, ClusterId];

const forProject = (clusterId: ClusterId, kind: ClusterPolicy['kind']): ClusterPolicy => ({
  ...{ clusterId, kind, organisationId: null, projectId: PROJECT },
});
const forOrganisation = (clusterId: ClusterId, kind: ClusterPolicy['kind']): ClusterPolicy => ({
  ...{ clusterId, kind, organisationId: ORGANISATION, projectId: null },
});

describe('policies on clusters', () => {
  it('without any, let everybody use everything', () => {
    expect(policyVerdict([], us, A)).toEqual({ isPreferred: false });
  });

  it('bind those who are allowed some clusters to these', () => {
    const rules = [forOrganisation(A, 'allowed')];
    expect(policyVerdict(rules, us, A).refusal).toBeUndefined();
    expect(policyVerdict(rules, us, B).refusal).toContain('not among');
    expect(policyVerdict(rules, others, B).refusal).toBeUndefined();
    expect(policyVerdict(rules, others, A).refusal).toBeUndefined();
  });

  it('keep others from what is dedicated', () => {
    const rules = [forProject(A, 'dedicated')];
    expect(policyVerdict(rules, us, A)).toEqual({ isPreferred: true });
    expect(policyVerdict(rules, others, A).refusal).toContain('dedicated');
    const sister = { ...us, projectId: 'prj_c' as ProjectId };
    expect(policyVerdict(rules, sister, A).refusal).toContain('dedicated');
  });

  it('of a project take the place of those of its organisation', () => {
    const rules = [forOrganisation(A, 'allowed'), forProject(B, 'preferred')];
    expect(policyVerdict(rules, us, B)).toEqual({ isPreferred: true });
    expect(policyVerdict(rules, us, A).refusal).toBeUndefined();
  });

  it('never let a cluster be used that is dedicated to others, whatever else they say', () => {
    const kinds = fc.constantFrom('allowed' as const, 'preferred' as const, 'dedicated' as const);
    const rule = fc.record({
      clusterId: fc.constantFrom(A, B),
      organisationId: fc.constantFrom(null, ORGANISATION, others.organisationId),
      projectId: fc.constantFrom(null, PROJECT, others.projectId),
      kind: kinds,
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), (rules) => {
        const dedicated = rules.filter((each) => each.kind === 'dedicated');
        for (const clusterId of [A, B]) {
          const isTaken = dedicated.some((each) => each.clusterId === clusterId);
          const isOurs = dedicated.some(
            (each) =>
              each.clusterId === clusterId &&
              (each.projectId === PROJECT || each.organisationId === ORGANISATION),
          );
          const verdict = policyVerdict(rules, us, clusterId);
          if (isTaken && !isOurs) expect(verdict.refusal).toBeDefined();
          if (rules.length === 0) expect(verdict.refusal).toBeUndefined();
        }
      }),
    );
  });
});
