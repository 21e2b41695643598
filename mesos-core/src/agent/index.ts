export { type Agent, type AgentOptions, createAgent } from './agent.ts';
export * from './checkpoint/index.ts';
export * from './containerizer/index.ts';
export type { AgentAddress } from './context.ts';
export { type AgentSettings, DEFAULT_AGENT_SETTINGS } from './settings.ts';
