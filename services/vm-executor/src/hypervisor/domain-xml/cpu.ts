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

/** `host` is all that the host's CPU has; emulated, all that the emulator has. */
function modelOf(
  { hardware }: DomainPlan,
  { type }: Machine,
): { readonly mode: string; readonly model?: string } {
  const model = hardware?.cpu?.model ?? 'host';
  if (model !== 'host') return { mode: 'custom', model };
  return { mode: type === 'kvm' ? 'host-passthrough' : 'maximum' };
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

/** Which CPU of the host each vCPU runs on, when it shall be one of its own. */
export function cpuPinning({ hardware, hostCpus = [] }: DomainPlan): readonly XmlElement[] {
  if (hardware?.cpu?.pinned !== true) return [];
  const pins = hostCpus.map((cpuset, vcpu) => xml('vcpupin', { vcpu, cpuset }));
  return [xml('cputune', {}, ...pins)];
}
