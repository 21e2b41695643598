export { Consoles } from './console/consoles.ts';
export { createSimulatedConsoles } from './console/simulated-consoles.ts';
export { createVmExecutor, VmExecutor } from './executor.ts';
export type { VmExecutorOptions, VmExecutorSettings } from './executor-options.ts';
export { FAULT_KINDS, type FaultKind, faulty } from './faulty-ports.ts';
export { createHostHardware } from './hardware/host-hardware.ts';
export type * from './hypervisor/port.ts';
export { createSimulatedHypervisor } from './hypervisor/simulated.ts';
export {
  SimulatedHost,
  type SimulatedHostOptions,
  type SimulatedLatency,
} from './hypervisor/simulated-host.ts';
export type { ImagePresence } from './images/image-cache.ts';
export { createMemoryPublisher } from './images/publisher-memory.ts';
export { createPullTickets } from './images/pull-tickets.ts';
export type * from './link.ts';
export { createMesosLink } from './mesos-link.ts';
export { createMemoryStorage } from './storage/memory.ts';
export type * from './storage/port.ts';
