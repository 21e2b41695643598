import type { DomainPlan } from '../domain-plan.ts';
import { METADATA_NAMESPACE, type Owner } from '../names.ts';
import { type XmlElement, xml } from '../xml.ts';

/** By this a domain is found again after any restart of ours. */
export function metadata(plan: DomainPlan, owner: Owner): XmlElement {
  return xml('factory:vm', {
    'xmlns:factory': METADATA_NAMESPACE,
    instance: owner.instance,
    host: owner.hostName,
    id: plan.vmId,
    generation: plan.generation,
  });
}
