export { Allocator, type AllocatorOptions } from './allocator.ts';
export type { AgentFacts, Allocation, FrameworkFacts } from './facts.ts';
export type { RoleFigures } from './figures.ts';
export {
  type CompiledOfferConstraints,
  compileOfferConstraints,
  OfferConstraintsError,
} from './offer-constraints.ts';
export type { InverseAllocation, Quota } from './port.ts';
