import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectLibvirt } from '@factory/libvirt';
import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { createLibvirtHypervisor } from '../src/hypervisor/libvirt.ts';
import type { DomainPlan, Hypervisor } from '../src/hypervisor/port.ts';
import type { HostNetworkPort } from '../src/network/port.ts';
import { createNetworkToRemove } from '../src/network/this-host.ts';
import { removeInstance } from '../src/stand-down.ts';
import { testPlan } from '../src/testing.ts';

const run = promisify(execFile);

/** libvirtd's socket; the integration tests need one that answers. */
export const LIBVIRT_SOCKET = process.env.FACTORY_LIBVIRT_SOCKET ?? '/run/libvirt/libvirt-sock';

/** The plan whose tap does not exist. */
export const UNPLUGGED = 4;

/** This machine's libvirt, as an instance of its own for one test file. */
export interface LibvirtTestHost {
  readonly folder: string;
  readonly network: HostNetworkPort;
  hypervisor(hostName: string, socketPath?: string): Hypervisor;
  /** A domain without an operating system: it starts, and stays in its firmware. */
  plan(number: number): DomainPlan;
  /** A disk of 1 MiB, of no plan. */
  readonly volumePath: string;
  /** Removes all that is left. */
  close(): Promise<void>;
}

/** @throws when libvirtd does not answer: these tests can't do without. */
export async function openLibvirtHost(instance: string): Promise<LibvirtTestHost> {
  const connection = { uri: 'qemu:///system', socketPath: LIBVIRT_SOCKET, clock: systemClock };
  await (await connectLibvirt(connection)).close();
  const folder = await mkdtemp(join(tmpdir(), 'factory-libvirt-'));
  // QEMU's user must pass.
  await run('chmod', ['711', folder]);
  const plans = Array.from({ length: 5 }, (_, number) => ({
    ...testPlan(number),
    diskPath: join(folder, `${number}.qcow2`),
    seedPath: join(folder, `${number}.iso`),
    consolePath: join(folder, `${number}.log`),
    tapName: `fcttap${process.pid % 10_000}-${number}`,
  }));
  const plugged = plans.filter((_, number) => number !== UNPLUGGED).map(({ tapName }) => tapName);
  for (const name of plugged) await run('ip', ['tuntap', 'add', 'dev', name, 'mode', 'tap']);
  for (const plan of plans) {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', plan.diskPath, '1M']);
    await writeFile(plan.seedPath, Buffer.alloc(512 * 1024));
  }
  const volumePath = join(folder, 'volume.raw');
  await run('truncate', ['--size', '1M', volumePath]);
  const runDir = join(folder, 'run');
  const network = createNetworkToRemove({ clock: systemClock, instance, runDir });
  const cleanUp = (): Promise<unknown> =>
    removeInstance({ instance, socketPath: LIBVIRT_SOCKET, clock: systemClock, network });
  await cleanUp();
  return {
    folder,
    volumePath,
    network,
    hypervisor(hostName, socketPath = LIBVIRT_SOCKET) {
      const hypervisor = createLibvirtHypervisor({
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        instance,
        domainType: async () => 'qemu',
        socketPath,
      });
      hypervisor.identify(hostName);
      return hypervisor;
    },
    plan(number) {
      const plan = plans[number];
      if (plan === undefined) throw new RangeError(`no plan ${number}`);
      return plan;
    },
    async close() {
      await cleanUp();
      for (const name of plugged) await run('ip', ['link', 'del', 'dev', name]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
