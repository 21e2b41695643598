import { LazyMessage, type MasterCall } from '../../protocol/index.ts';
import { getAgents, getExecutors, getFrameworks, getState, getTasks } from './operator-form.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Queries whose answers grow with the cluster. */
type StateQuery = Extract<
  MasterCall['type'],
  'GET_AGENTS' | 'GET_FRAMEWORKS' | 'GET_TASKS' | 'GET_EXECUTORS' | 'GET_STATE'
>;

/** The `master.Response` to a query of the cluster's state. */
export function answerStateQuery(type: StateQuery, snapshot: ClusterSnapshot): LazyMessage {
  switch (type) {
    case 'GET_AGENTS':
      return new LazyMessage({ type, get_agents: getAgents(snapshot) });
    case 'GET_FRAMEWORKS':
      return new LazyMessage({ type, get_frameworks: getFrameworks(snapshot) });
    case 'GET_TASKS':
      return new LazyMessage({ type, get_tasks: getTasks(snapshot) });
    case 'GET_EXECUTORS':
      return new LazyMessage({ type, get_executors: getExecutors(snapshot) });
    case 'GET_STATE':
      return new LazyMessage({ type, get_state: getState(snapshot) });
  }
}
