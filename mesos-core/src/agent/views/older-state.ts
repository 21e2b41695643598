import {
  addResources,
  olderAttributes,
  olderLabels,
  olderResources,
  olderTask,
  operatorForm,
  type Resources,
  reservedByRole,
  type Task,
  unreserved,
} from '../../protocol/index.ts';
import { VERSION_INFO } from '../../version-info.ts';
import { type AgentContext, agentIdOf } from '../context.ts';
import {
  type CompletedExecutor,
  type ExecutorRun,
  type Framework,
  isTerminal,
  type TaskRecord,
} from '../state.ts';
import { AGENT_CAPABILITIES } from '../version.ts';
import { toTask } from '../views.ts';
import type { Visibility } from '../visibility.ts';

/** What the older endpoints tell beside what the agent runs. */
export interface AgentFacts {
  readonly startedAtMs: number;
  readonly flags: Readonly<Record<string, string>> | undefined;
  /** Reservations and volumes included. */
  readonly total: Resources;
  /** Base URL of the master. */
  readonly master: string | undefined;
  /** What of it all the caller may see. */
  readonly visibility: Visibility;
}

/** `GET /state` of an agent. */
export function olderAgentState(context: AgentContext, facts: AgentFacts) {
  const { address } = context;
  const { master, visibility } = facts;
  const { state } = visibility;
  const total = visibility.resources(facts.total);
  const { attributes, domain } = context.agentInfo();
  const held = [...context.state.frameworks.values()].flatMap(heldBy);
  const allocated = visibility.resources(held);
  const masterHostname = master === undefined ? undefined : new URL(master).hostname;
  return {
    ...VERSION_INFO,
    start_time: facts.startedAtMs / 1000,
    id: agentIdOf(context),
    pid: `slave(1)@${address.ip}:${address.port}`,
    hostname: address.hostname,
    capabilities: AGENT_CAPABILITIES,
    ...(domain === undefined ? {} : { domain }),
    resources: olderResources(total),
    reserved_resources: byRole(total, olderResources),
    unreserved_resources: olderResources(unreserved(total)),
    reserved_resources_full: byRole(total, operatorForm),
    unreserved_resources_full: operatorForm(unreserved(total)),
    reserved_resources_allocated: byRole(allocated, olderResources),
    unreserved_resources_allocated: olderResources(unreserved(allocated)),
    resource_providers: [],
    attributes: olderAttributes(attributes),
    ...(masterHostname === undefined ? {} : { master_hostname: masterHostname }),
    ...(facts.flags === undefined ? {} : { flags: facts.flags }),
    frameworks: Array.from(state.frameworks.values(), (each) => olderFramework(context, each)),
    completed_frameworks: state.completedFrameworks.map((each) => olderFramework(context, each)),
  };
}

function byRole<T>(resources: Resources, form: (own: Resources) => T): Record<string, T> {
  const roles = [...reservedByRole(resources)];
  return Object.fromEntries(roles.map(([role, own]) => [role, form(own)]));
}

function olderFramework(context: AgentContext, framework: Framework) {
  const { id, info, executors, completedExecutors } = framework;
  return {
    id,
    name: info.name,
    user: info.user,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    hostname: info.hostname ?? '',
    ...(info.principal === undefined ? {} : { principal: info.principal }),
    ...(info.roles === undefined ? { role: info.role ?? '*' } : { roles: info.roles }),
    executors: Array.from(executors.values(), (run) => olderExecutor(context, framework, run)),
    completed_executors: completedExecutors.map((run) => olderExecutor(context, framework, run)),
  };
}

function olderExecutor(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun | CompletedExecutor,
) {
  const { info, containerId, directory } = run;
  const queue = 'queue' in run ? run.queue.flatMap(({ tasks }) => tasks) : [];
  const queued = new Set<TaskRecord>(queue);
  const own = [...framework.tasks.values()].filter((task) => task.containerId === containerId);
  const live = own.filter((task) => !isTerminal(task));
  const resources = sumOf([info, ...live.map((task) => task.info)]);
  const role = resources[0]?.allocation_info?.role;
  const forms = (tasks: readonly TaskRecord[]) =>
    tasks.map((task) => olderTask(toTask(context, task)));
  const completed = framework.completedTasks.filter((each) => each.containerId === containerId);
  return {
    id: info.executor_id.value,
    name: info.name ?? '',
    source: info.source ?? '',
    container: containerId,
    directory,
    resources: olderResources(resources),
    ...(role === undefined ? {} : { role }),
    ...(info.type === undefined ? {} : { type: info.type }),
    ...olderLabels(info.labels),
    tasks: forms(live.filter((task) => !queued.has(task))),
    queued_tasks: forms(live.filter((task) => queued.has(task))),
    completed_tasks: [
      ...forms(own.filter(isTerminal)),
      ...completed.map(({ task }: { readonly task: Task }) => olderTask(task)),
    ],
  };
}

/** What a framework's executors and tasks take. */
function heldBy({ executors, tasks }: Framework): Resources {
  const live = [...tasks.values()].filter((task) => !isTerminal(task));
  return sumOf([
    ...Array.from(executors.values(), ({ info }) => info),
    ...live.map(({ info }) => info),
  ]);
}

function sumOf(holders: readonly { readonly resources?: Resources | undefined }[]): Resources {
  return addResources(
    [],
    holders.flatMap(({ resources }) => resources ?? []),
  );
}
