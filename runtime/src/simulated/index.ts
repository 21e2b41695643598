export * from './seeded-random.ts';
export * from './simulated-network.ts';
export * from './virtual-clock.ts';
