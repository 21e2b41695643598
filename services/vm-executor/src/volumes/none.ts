import { VmFailure } from '../failures.ts';
import type { VolumePort } from './port.ts';

/** Of a host that has no place for volumes: VMs without any don't notice. */
export const noVolumes: VolumePort = {
  identify: () => undefined,
  prepare: async () => {
    const message = 'This host has no storage for volumes: set FACTORY_VOLUME_DIR for it.';
    throw new VmFailure('STORAGE_UNAVAILABLE', message);
  },
  pathOf: ({ volumeId }) => `/nowhere/${volumeId}`,
  release: async () => undefined,
  renew: async () => 'held',
  usage: async () => new Map(),
  allowWrites: async () => undefined,
  listHeld: async () => [],
  close: async () => undefined,
};
