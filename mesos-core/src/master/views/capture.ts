import type { Offer, Task } from '../../protocol/index.ts';
import type { Agent, ExecutorEntry, Framework, MasterState } from '../state.ts';

/** An agent at one moment. What it refers to is never changed, only replaced. */
export interface CapturedAgent
  extends Readonly<
    Pick<
      Agent,
      | 'id'
      | 'info'
      | 'ip'
      | 'version'
      | 'capabilities'
      | 'total'
      | 'registeredAtMs'
      | 'reregisteredAtMs'
    >
  > {
  readonly isConnected: boolean;
  readonly tasks: readonly Task[];
  readonly executors: readonly ExecutorEntry[];
  readonly offers: readonly Offer[];
}

/** A framework at one moment. */
export interface CapturedFramework
  extends Readonly<
    Pick<
      Framework,
      | 'id'
      | 'info'
      | 'recovered'
      | 'offerConstraints'
      | 'registeredAtMs'
      | 'reregisteredAtMs'
      | 'unregisteredAtMs'
    >
  > {
  readonly isConnected: boolean;
  readonly tasks: readonly Task[];
  readonly offers: readonly Offer[];
}

/**
 * The agent as it is now, by reference: microseconds, so that thousands are captured at one moment
 * and put into words later, while the master goes on.
 */
export function captureAgent(state: MasterState, agent: Agent): CapturedAgent {
  return {
    id: agent.id,
    info: agent.info,
    ip: agent.ip,
    version: agent.version,
    capabilities: agent.capabilities,
    total: agent.total,
    registeredAtMs: agent.registeredAtMs,
    reregisteredAtMs: agent.reregisteredAtMs,
    isConnected: agent.stream !== undefined,
    tasks: [...agent.tasks.values()],
    executors: [...agent.executors.values()],
    offers: state.offersOfAgent(agent.id),
  };
}

/** The framework as it is now, by reference. */
export function captureFramework(state: MasterState, framework: Framework): CapturedFramework {
  return {
    id: framework.id,
    info: framework.info,
    recovered: framework.recovered,
    offerConstraints: framework.offerConstraints,
    registeredAtMs: framework.registeredAtMs,
    reregisteredAtMs: framework.reregisteredAtMs,
    unregisteredAtMs: framework.unregisteredAtMs,
    isConnected: framework.stream !== undefined,
    tasks: state.tasksOf(framework.id),
    offers: state.offersOfFramework(framework.id),
  };
}
