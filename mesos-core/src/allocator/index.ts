export { Allocator, type AllocatorOptions } from './allocator.ts';
export type { AgentFacts, Allocation, FrameworkFacts } from './facts.ts';
export type { InverseAllocation } from './port.ts';
