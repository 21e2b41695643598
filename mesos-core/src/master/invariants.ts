import {
  addResources,
  canTake,
  equalResources,
  type Quantities,
  scalarQuantities,
  unallocateResources,
} from '../protocol/index.ts';
import { AmountSums } from './amount-sums.ts';
import { isTerminal, type MasterState, rolesOf } from './state.ts';
import { usedOf } from './takeover.ts';

/** Every rule that the books break, in words; empty when all is well. */
export function checkMasterInvariants(state: MasterState): readonly string[] {
  const problems: string[] = [];
  for (const agent of state.agents.values()) {
    const used = addResources(usedOf(agent), []);
    if (!equalResources(used, agent.used)) {
      problems.push(`agent ${agent.id}: the running account of used resources is wrong`);
    }
    const offers = state.offersOfAgent(agent.id);
    const offered = unallocateResources(offers.flatMap((offer) => offer.resources ?? []));
    const taken = agent.isShrunk ? offered : addResources(used, offered);
    if (!canTake(agent.total, taken)) {
      problems.push(`agent ${agent.id}: more is used and offered than there is`);
    }
  }
  problems.push(...sumsProblems(state));
  const tasks = [...state.agents.values()].flatMap((agent) => [...agent.tasks.values()]);
  for (const [name, ofState] of Map.groupBy(tasks, (task) => task.state)) {
    if (state.taskCount(name) !== ofState.length) problems.push(`the count of ${name} is wrong`);
  }
  for (const framework of state.frameworks.values()) {
    for (const role of rolesOf(framework.info)) {
      const counted = JSON.stringify(sorted(state.usageOf(framework.id, role)));
      if (counted !== JSON.stringify(sorted(usageFromScratch(state, framework.id, role)))) {
        problems.push(`framework ${framework.id}: the running account of role ${role} is wrong`);
      }
    }
  }
  for (const offer of state.offers.values()) {
    if (!state.agents.has(offer.agent_id.value)) {
      problems.push(`offer ${offer.id.value} is of an agent that is not there`);
    }
    if (state.frameworks.get(offer.framework_id.value)?.stream === undefined) {
      problems.push(`offer ${offer.id.value} is with a framework that is not connected`);
    }
  }
  return problems;
}

function sumsProblems(state: MasterState): readonly string[] {
  const [totals, used] = [new AmountSums(), new AmountSums()];
  for (const agent of state.agents.values()) {
    totals.replace([], agent.total);
    used.replace([], agent.used);
  }
  const kinds = ['cpus', 'mem', 'disk', 'gpus', 'cpus_revocable', 'mem_revocable'];
  return kinds.flatMap((kind) => [
    ...(totals.of(kind) === state.totals.of(kind) ? [] : [`the sum of ${kind} is wrong`]),
    ...(used.of(kind) === state.used.of(kind) ? [] : [`the sum of used ${kind} is wrong`]),
  ]);
}

function usageFromScratch(state: MasterState, frameworkId: string, role: string): Quantities {
  const tasks = state.tasksOf(frameworkId).filter((task) => !isTerminal(task.state));
  const executors = [...state.agents.values()]
    .flatMap((agent) => [...agent.executors.values()])
    .filter((executor) => executor.frameworkId === frameworkId)
    .map(({ info }) => info);
  const all = [...tasks, ...executors, ...state.offersOfFramework(frameworkId)];
  const resources = all.flatMap((each) => each.resources ?? []);
  return scalarQuantities(resources.filter((each) => each.allocation_info?.role === role));
}

function sorted(quantities: Quantities) {
  return Object.entries(quantities)
    .filter(([, amount]) => amount !== 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
