import {
  type FrameworkInfo,
  type Offer,
  type Resource,
  type Resources,
  reservationsOf,
  toLegacyFormat,
  toRefinedFormat,
} from '../protocol/index.ts';
import { type Agent, hasCapability } from './state.ts';

/** The order in which Mesos lists offered resources: ranges and sets, reservations, the rest. */
export function inOfferOrder(resources: Resources): Resources {
  return resources.toSorted((a, b) => groupOf(a) - groupOf(b));
}

function groupOf(resource: Resource): number {
  if (reservationsOf(resource).length > 0) return 1;
  return resource.type === 'SCALAR' ? 2 : 0;
}

/** An offer in the form that the framework understands: see RESERVATION_REFINEMENT. */
export function offerFor(info: FrameworkInfo, offer: Offer): Offer {
  if (hasCapability(info, 'RESERVATION_REFINEMENT')) return offer;
  const resources = (offer.resources ?? []).flatMap((each) => toLegacyFormat(each) ?? []);
  return { ...offer, resources };
}

/**
 * Resources as a framework named them, in our form and with the mark of the role that they were
 * offered to; marks that the framework set itself stay, to be found wrong where they are.
 */
export function asOffered(resources: Resources | undefined, role: string): Resources {
  return toRefinedFormat(resources ?? []).map((resource) =>
    resource.allocation_info?.role === undefined
      ? { ...resource, allocation_info: { role } }
      : resource,
  );
}

/** Where an agent is reached, as offers and inverse offers say. */
export function urlOf({ info, ip, scheme }: Agent): NonNullable<Offer['url']> {
  const { hostname, port = 5051 } = info;
  return { scheme, address: { hostname, ip, port }, path: '/slave(1)' };
}
