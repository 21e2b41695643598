import type { Change, CheckpointStore } from './checkpoint/checkpoint-store.ts';
import { agentChange, restoreState, runRemoval } from './checkpoint/records.ts';
import type { AgentContext } from './context.ts';
import type { Executors } from './executors.ts';
import { type ExecutorRun, type Framework, isTerminal } from './state.ts';
import { dropTasks, endTasks, forgetIfDone } from './task-ends.ts';

/**
 * Takes up what an earlier life of this agent left: its executors (alive or not), their tasks, and
 * the updates that nobody has acknowledged.
 * @throws what {@link CheckpointStore.load} throws.
 */
export async function recover(
  context: AgentContext,
  checkpoint: CheckpointStore,
  executors: Executors,
  recoverOperations: () => void,
): Promise<void> {
  const { clock, state, logger, metrics } = context;
  const startedMs = clock.monotonicMs();
  restoreState(state, await checkpoint.load());
  recoverOperations();
  for (const framework of [...state.frameworks.values()]) {
    // Mesos' contract: without `checkpoint` a framework's executors don't outlive the agent.
    if (framework.info.checkpoint === true) await recoverFramework(context, framework, executors);
    else await discardFramework(context, framework);
  }
  await context.containerizer.removeOrphans();
  metrics.recoveryTimeSecs = (clock.monotonicMs() - startedMs) / 1000;
  const { agentId, frameworks } = state;
  if (agentId !== undefined) logger.info({ agentId, frameworks: frameworks.size }, 'recovered');
}

/**
 * Ends everything that an earlier life of this agent left, and forgets it and the agent's id.
 * @throws what {@link CheckpointStore.load} throws.
 */
export async function cleanUp(context: AgentContext, checkpoint: CheckpointStore): Promise<void> {
  restoreState(context.state, await checkpoint.load());
  for (const framework of [...context.state.frameworks.values()]) {
    await discardFramework(context, framework);
  }
  context.state.agentId = undefined;
  await context.commit([agentChange(undefined)]);
}

async function recoverFramework(
  context: AgentContext,
  framework: Framework,
  executors: Executors,
): Promise<void> {
  for (const run of framework.executors.values()) await executors.recover(framework, run);
  const runs = new Set([...framework.executors.values()].map((run) => run.containerId));
  const tasks = [...framework.tasks.values()];
  // A run and its tasks end in one commit, so this only finds something in a damaged checkpoint.
  const orphans = tasks.filter((task) => !isTerminal(task) && !runs.has(task.containerId));
  await endTasks(context, orphans, {
    state: 'TASK_FAILED',
    reason: 'REASON_EXECUTOR_TERMINATED',
    message: 'Executor terminated',
  });
  for (const task of tasks) context.updates.forward(task);
  await context.commit(forgetIfDone(context, framework));
}

async function discardFramework(context: AgentContext, framework: Framework): Promise<void> {
  const changes: Change[] = [];
  for (const run of framework.executors.values()) {
    await killRun(context, run);
    changes.push(runRemoval(run));
  }
  framework.executors.clear();
  changes.push(...dropTasks(context, framework), ...forgetIfDone(context, framework));
  await context.commit(changes);
}

async function killRun(context: AgentContext, run: ExecutorRun): Promise<void> {
  if (run.identity === undefined) return;
  const container = await context.containerizer.recover(run.identity);
  await container.kill();
  await container.forget();
}
