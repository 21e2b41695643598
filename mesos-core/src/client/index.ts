export { type Masters, openMasters } from '../election/index.ts';
export { readClientTls, readTls, type Tls } from '../security/tls.ts';
export type { Credential } from './endpoint.ts';
export * from './errors.ts';
export {
  ExecutorClient,
  type ExecutorClientOptions,
  type ExecutorUpdate,
} from './executor-client.ts';
export * from './executor-environment.ts';
export * from './operator-client.ts';
export {
  SchedulerClient,
  type SchedulerClientCall,
  type SchedulerClientOptions,
  type SchedulerState,
} from './scheduler-client.ts';
export type { PendingUpdate } from './unacknowledged.ts';
