import type { WireDomain } from './procedures/shapes.ts';
import type { Affect, Domain, DomainRef } from './types.ts';

/** A domain as callers see it. */
export function domainOf(wire: WireDomain): Domain {
  return { name: wire.name, uuid: wire.uuid, id: wire.id < 0 ? undefined : wire.id };
}

/** A domain as libvirt takes it. Drivers look it up by its uuid, so the id need not be known. */
export function wireDomain(domain: DomainRef): WireDomain {
  return { name: domain.name, uuid: domain.uuid, id: -1 };
}

/** virDomainModificationImpact and virNetworkUpdateFlags, which agree. */
export const AFFECTS: Readonly<Record<Affect, number>> = {
  live: 1,
  config: 2,
  'live-and-config': 3,
};

/** The sum of the flags that are asked for: `flagsOf([[1, paused], [2, autoDestroy]])`. */
export function flagsOf(
  flags: readonly (readonly [bit: number, on: boolean | undefined])[],
): number {
  return flags.reduce((sum, [bit, on]) => (on === true ? sum + bit : sum), 0);
}
