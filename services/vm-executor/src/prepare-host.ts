import { join } from 'node:path';
import { type Clock, grantTraversal, type Logger } from '@factory/runtime';
import { probeVirtualisation, realProbeWorld } from './host/kvm-probe.ts';
import type { DomainType } from './hypervisor/domain-xml/domain.ts';
import type { ImageSource } from './storage/port.ts';

/** The user that libvirt's Debian package runs QEMU as. */
const QEMU_USER = 'libvirt-qemu';
/** The image that the probe boots, and the first line that it prints, before it has a network. */
const PROBE_IMAGE = 'micro';
const PROBE_MARKER = 'FACTORY-BOOT';

/** What is asked of a host before its first guest. */
export interface HostOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hostDir: string;
  readonly images: ImageSource;
  readonly virtualisation: 'auto' | 'kvm' | 'tcg';
}

/**
 * Readies the host for guests: finds out what they run on, and lets QEMU's user reach their disks.
 * Both go on beside the executor's start; the first definition of a domain waits for them.
 */
export function prepareHost(options: HostOptions): Promise<DomainType> {
  const reachable = letQemuPass(options);
  const type = chooseDomainType(options);
  return Promise.all([type, reachable]).then(([domainType]) => domainType);
}

async function letQemuPass({ hostDir: path, logger }: HostOptions): Promise<void> {
  if (process.getuid?.() !== 0) return;
  try {
    const { directories } = await grantTraversal({ path, user: QEMU_USER });
    if (directories.length > 0) logger.info({ directories, user: QEMU_USER }, 'may pass now');
  } catch (error) {
    // It may be able to pass as it is; if not, libvirt says which file it can't open.
    logger.warn({ err: error, path, user: QEMU_USER }, 'can not see to it that QEMU may pass');
  }
}

async function chooseDomainType(options: HostOptions): Promise<DomainType> {
  const { clock, logger, hostDir, images, virtualisation } = options;
  if (virtualisation !== 'auto') return virtualisation === 'kvm' ? 'kvm' : 'qemu';
  const world = realProbeWorld({
    clock,
    image: () => images.acquire({ name: PROBE_IMAGE }),
    marker: PROBE_MARKER,
    verdictFile: join(hostDir, 'virtualisation.json'),
  });
  const verdict = await probeVirtualisation(world, logger);
  logger.info({ virtualisation: verdict }, 'guests run on');
  return verdict === 'kvm' ? 'kvm' : 'qemu';
}
