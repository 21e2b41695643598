import type {
  MasterCall,
  MasterResponse,
  MasterResponseGetAgents,
  MasterResponseGetExecutors,
  MasterResponseGetFrameworks,
  MasterResponseGetTasks,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { captureAgent, captureFramework } from './capture.ts';
import { agentView, executorViews, frameworkView } from './views.ts';

/** Items in one piece of an answer: some hundred microseconds of work. */
const PIECE_ITEMS = 20;

const QUERIES = [
  'GET_AGENTS',
  'GET_EXECUTORS',
  'GET_FRAMEWORKS',
  'GET_TASKS',
  'GET_STATE',
] as const;
export type StateQuery = (typeof QUERIES)[number];

/** Whether the call is one of those whose answers grow with the cluster. */
export function isStateQuery(call: MasterCall): call is Extract<MasterCall, { type: StateQuery }> {
  return QUERIES.some((query) => query === call.type);
}

/**
 * The answer to a query of the state at this moment, in pieces: each is a part of the whole answer,
 * lists follow in order, and merging all pieces gives it. What they say was captured when this was
 * called; putting it into words happens piece by piece, as they are asked for.
 */
export function answerInPieces(core: MasterCore, query: StateQuery): Iterable<MasterResponse> {
  const capture = captureState(core);
  switch (query) {
    case 'GET_AGENTS':
      return mapped(agentPieces(capture), (get_agents) => ({ type: query, get_agents }));
    case 'GET_EXECUTORS':
      return mapped(executorPieces(capture), (get_executors) => ({ type: query, get_executors }));
    case 'GET_FRAMEWORKS':
      return mapped(frameworkPieces(capture), (get_frameworks) => ({
        type: query,
        get_frameworks,
      }));
    case 'GET_TASKS':
      return mapped(taskPieces(capture), (get_tasks) => ({ type: query, get_tasks }));
    case 'GET_STATE':
      return mapped(statePieces(capture), (get_state) => ({ type: query, get_state }));
  }
}

type Capture = ReturnType<typeof captureState>;

function captureState({ state, registry }: MasterCore) {
  const { agents, frameworks, completedFrameworks, unreachableTasks, completedTasks } = state;
  return {
    agents: Array.from(agents.values(), (agent) => captureAgent(state, agent)),
    recovered: registry.agents.filter(
      (agent) => agent.state === 'admitted' && !agents.has(agent.id),
    ),
    frameworks: Array.from(frameworks.values(), (each) => captureFramework(state, each)),
    completedFrameworks: completedFrameworks.map((each) => captureFramework(state, each)),
    unreachableTasks: [...unreachableTasks.values()],
    completedTasks: [...completedTasks],
  };
}

function* statePieces(capture: Capture) {
  for (const get_agents of agentPieces(capture)) yield { get_agents };
  for (const get_executors of executorPieces(capture)) yield { get_executors };
  for (const get_frameworks of frameworkPieces(capture)) yield { get_frameworks };
  for (const get_tasks of taskPieces(capture)) yield { get_tasks };
}

function* agentPieces({ agents, recovered }: Capture): Generator<MasterResponseGetAgents> {
  for (const some of piecesOf(agents)) yield { agents: some.map(agentView) };
  for (const some of piecesOf(recovered)) {
    yield { recovered_agents: some.map(({ id, hostname }) => ({ hostname, id: { value: id } })) };
  }
}

function* executorPieces({ agents }: Capture): Generator<MasterResponseGetExecutors> {
  for (const some of piecesOf(agents)) yield { executors: some.flatMap(executorViews) };
}

function* frameworkPieces(capture: Capture): Generator<MasterResponseGetFrameworks> {
  for (const some of piecesOf(capture.frameworks)) yield { frameworks: some.map(frameworkView) };
  for (const some of piecesOf(capture.completedFrameworks)) {
    yield { completed_frameworks: some.map(frameworkView) };
  }
}

function* taskPieces(capture: Capture): Generator<MasterResponseGetTasks> {
  for (const some of piecesOf(capture.agents)) yield { tasks: some.flatMap(({ tasks }) => tasks) };
  for (const some of piecesOf(capture.unreachableTasks)) yield { unreachable_tasks: some };
  for (const some of piecesOf(capture.completedTasks)) yield { completed_tasks: some };
}

/** At least one piece, so that Mesos' empty lists are there too. */
function* piecesOf<T>(list: readonly T[]): Generator<readonly T[]> {
  let start = 0;
  do {
    yield list.slice(start, start + PIECE_ITEMS);
    start += PIECE_ITEMS;
  } while (start < list.length);
}

function* mapped<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<R> {
  for (const item of items) yield map(item);
}
