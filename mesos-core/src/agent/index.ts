export { type Agent, type AgentOptions, createAgent } from './agent.ts';
export * from './checkpoint/index.ts';
export type { AgentAddress } from './context.ts';
export * from './launcher/index.ts';
export { type AgentSettings, DEFAULT_AGENT_SETTINGS } from './settings.ts';
