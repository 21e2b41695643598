import type { HostHardware } from './port.ts';

/** Of a host that has nothing to hand out: what asks for something is refused by its domain's rules. */
export const noHardware: HostHardware = {
  identify: () => undefined,
  reclaimFrom: () => undefined,
  assign: async () => ({}),
  release: async () => undefined,
  listHolders: async () => [],
};
