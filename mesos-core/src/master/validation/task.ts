import { idProblem, type TaskInfo } from '../../protocol/index.ts';
import { checkProblem, healthCheckProblem } from './checks.ts';
import { commandProblem } from './command.ts';
import { containerProblem, sharesCgroups } from './container.ts';
import { limitsProblem } from './limits.ts';
import { ownResourcesProblem } from './resources.ts';

/** What a task by itself is checked against. */
export interface TaskContext {
  readonly agentId: string;
  readonly isTaskKnown: (taskId: string) => boolean;
  readonly isTaskUnreachable: (taskId: string) => boolean;
}

/**
 * What is wrong with a task, its executor apart, in Mesos' words and order, or `undefined`. Costs
 * next to nothing for what a task does not have. Pure.
 */
export function taskProblem(task: TaskInfo, context: TaskContext): string | undefined {
  const { check, health_check, command, container } = task;
  return (
    identityProblem(task, context) ??
    durationsProblem(task) ??
    (check && prefixed('Task uses invalid check', checkProblem(check))) ??
    (health_check &&
      prefixed('Task uses invalid health check', healthCheckProblem(health_check))) ??
    resourcesProblem(task) ??
    (command && prefixed("Task's `CommandInfo` is invalid", commandProblem(command))) ??
    (container && prefixed("Task's `ContainerInfo` is invalid", containerProblem(container))) ??
    limitsProblem(task)
  );
}

/** What is wrong with a task of a group, likewise. Pure. */
export function groupedTaskProblem(task: TaskInfo, context: TaskContext): string | undefined {
  const problem = taskProblem(task, context);
  if (problem !== undefined) return problem;
  const { container, health_check, limits = {} } = task;
  const isProbed = health_check?.type === 'HTTP' || health_check?.type === 'TCP';
  if (isProbed && (container?.network_infos ?? []).length > 0) {
    return (
      "HTTP and TCP health checks are not supported for nested containers not joining parent's " +
      'network'
    );
  }
  if (container?.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the task';
  if (Object.keys(limits).length > 0 && sharesCgroups(container) !== false) {
    return (
      "Resource limits may only be set for tasks within a task group when the 'share_cgroups' " +
      "field is set to 'false'."
    );
  }
  return undefined;
}

function prefixed(what: string, problem: string | undefined): string | undefined {
  return problem && `${what}: ${problem}`;
}

function identityProblem(
  { task_id, agent_id }: TaskInfo,
  context: TaskContext,
): string | undefined {
  const taskId = task_id.value;
  const badId = idProblem(taskId);
  if (badId !== undefined) return badId;
  if (context.isTaskKnown(taskId)) return `Task has duplicate ID: ${taskId}`;
  if (context.isTaskUnreachable(taskId)) {
    return `Task reuses the ID of an unreachable task: ${taskId}`;
  }
  return agent_id.value === context.agentId
    ? undefined
    : `Task uses invalid agent ${agent_id.value} while agent ${context.agentId} is expected`;
}

function durationsProblem({ kill_policy, max_completion_time }: TaskInfo): string | undefined {
  if ((kill_policy?.grace_period?.nanoseconds ?? 0) < 0) {
    return "Task's 'kill_policy.grace_period' must be non-negative";
  }
  return (max_completion_time?.nanoseconds ?? 0) < 0
    ? "Task's `max_completion_time` must be non-negative"
    : undefined;
}

function resourcesProblem({ resources = [] }: TaskInfo): string | undefined {
  return resources.length === 0 ? 'Task uses no resources' : ownResourcesProblem('Task', resources);
}
