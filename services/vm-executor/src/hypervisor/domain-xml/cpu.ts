import { formatCpuList } from '../../hardware/cpu-list.ts';
import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/** The CPU's model, and how the guest sees its vCPUs and memory arranged. */
export function cpu(plan: DomainPlan, machine: Machine): XmlElement {
  const { numaNodes = 1 } = plan.hardware?.cpu ?? {};
  const { mode, model } = modelOf(plan, machine);
  return xml(
    'cpu',
    { mode, ...(model === undefined ? {} : { match: 'exact' }) },
    ...(model === undefined ? [] : [xml('model', { fallback: 'forbid' }, model)]),
    ...topology(plan, machine, numaNodes),
    ...(numaNodes === 1 ? [] : [numa(plan, numaNodes)]),
  );
}

/** See `cpu.model` in contracts; emulated, all that the host has is all that the emulator has. */
function modelOf(
  { hardware }: DomainPlan,
  { type }: Machine,
): { readonly mode: string; readonly model?: string } {
  const model = hardware?.cpu?.model ?? 'host';
  switch (model) {
    case 'host':
    case 'host-passthrough':
      return { mode: type === 'kvm' ? 'host-passthrough' : 'maximum' };
    case 'host-model':
      return { mode: 'host-model' };
    default:
      return { mode: 'custom', model };
  }
}

/**
 * Left to itself libvirt gives each vCPU a socket, of which Windows licences use only one or two;
 * and a NUMA node is a socket.
 */
function topology(
  { vcpus }: DomainPlan,
  { isWindows }: Machine,
  numaNodes: number,
): readonly XmlElement[] {
  if (!isWindows && numaNodes === 1) return [];
  const cores = vcpus / numaNodes;
  return [xml('topology', { sockets: numaNodes, dies: 1, cores, threads: 1 })];
}

/** Equal parts: checkPlan has seen to it that there are. */
function numa({ vcpus, memoryMiB }: DomainPlan, nodes: number): XmlElement {
  const perNode = vcpus / nodes;
  const cells = Array.from({ length: nodes }, (_, id) => {
    const first = id * perNode;
    const cpus = perNode === 1 ? `${first}` : `${first}-${first + perNode - 1}`;
    return xml('cell', { id, cpus, memory: memoryMiB / nodes, unit: 'MiB' });
  });
  return xml('numa', {}, ...cells);
}

/** The number of vCPUs; of one without cores of its own, those where it leaves others alone. */
export function vcpus({ vcpus, hardware, sharedCpus = [] }: DomainPlan): XmlElement {
  const isShared = hardware?.cpu?.pinned !== true && sharedCpus.length > 0;
  const cpuset = isShared ? { cpuset: formatCpuList(sharedCpus) } : {};
  return xml('vcpu', { placement: 'static', ...cpuset }, vcpus);
}

/**
 * Which CPU of the host each vCPU runs on, when it shall be one of its own; QEMU's other threads
 * (I/O, the screen) run elsewhere.
 */
export function cpuPinning(plan: DomainPlan): readonly XmlElement[] {
  const { hardware, hostCpus = [], sharedCpus = [] } = plan;
  if (hardware?.cpu?.pinned !== true) return [];
  const pins = hostCpus.map((cpuset, vcpu) => xml('vcpupin', { vcpu, cpuset }));
  const others =
    sharedCpus.length === 0 ? [] : [xml('emulatorpin', { cpuset: formatCpuList(sharedCpus) })];
  return [xml('cputune', {}, ...pins, ...others)];
}
