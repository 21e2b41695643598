import {
  consumedBy,
  type ExecutorInfo,
  type FrameworkInfo,
  type Resource,
  type Resources,
  rolesOfResource,
  taskUser,
} from '../protocol/index.ts';
import { type Authorizer, allowAll } from '../security/index.ts';
import type { AgentState, Framework } from './state.ts';

/** What somebody may see of the agent; all else is left out, as Mesos does, not refused. */
export interface Visibility {
  /** What of the state the ACLs `view_frameworks`, `view_executors` and `view_tasks` leave. */
  readonly state: AgentState;
  /** By `view_containers`: the container of an executor, and what is nested in it. */
  container(executor: ExecutorInfo, framework: FrameworkInfo): boolean;
  /** By `view_standalone_containers`. */
  standaloneContainers(): boolean;
  /** Those of roles that `view_roles` leaves; of no role: all. */
  resources(all: Resources): Resources;
}

/** @param who the caller's name; `undefined` when it is not authenticated. */
export function visibilityOf(
  authorizer: Authorizer,
  who: string | undefined,
  state: AgentState,
): Visibility {
  if (authorizer === allowAll) return { ...seesAll, state };
  const resource = (each: Resource): boolean =>
    rolesOfResource(each).every((role) => authorizer.allows('view_roles', who, role));
  return {
    state: visibleState(authorizer, who, state, resource),
    container: ({ command }, { user }) =>
      authorizer.allows('view_containers', who, command?.user ?? user),
    standaloneContainers: () => authorizer.allows('view_standalone_containers', who),
    resources: (all) => all.filter(resource),
  };
}

const seesAll: Omit<Visibility, 'state'> = {
  container: () => true,
  standaloneContainers: () => true,
  resources: (all) => all,
};

function visibleState(
  authorizer: Authorizer,
  who: string | undefined,
  state: AgentState,
  resource: (each: Resource) => boolean,
): AgentState {
  const shown = (framework: Framework): readonly Framework[] => {
    if (!authorizer.allows('view_frameworks', who, framework.info.user)) return [];
    return [visibleFramework(authorizer, who, framework)];
  };
  const operations = [...state.operations].filter(([, { info }]) =>
    consumedBy(info).every(resource),
  );
  return {
    ...state,
    frameworks: new Map(
      [...state.frameworks.values()].flatMap(shown).map((framework) => [framework.id, framework]),
    ),
    completedFrameworks: state.completedFrameworks.flatMap(shown),
    operations: new Map(operations),
  };
}

function visibleFramework(
  authorizer: Authorizer,
  who: string | undefined,
  framework: Framework,
): Framework {
  const { info: owner, executors, tasks, completedExecutors, completedTasks } = framework;
  const executor = ({ info }: { readonly info: ExecutorInfo }): boolean =>
    authorizer.allows('view_executors', who, info.command?.user ?? owner.user);
  const task = (user: string | undefined): boolean =>
    authorizer.allows('view_tasks', who, user ?? owner.user);
  return {
    ...framework,
    executors: new Map([...executors].filter(([, run]) => executor(run))),
    tasks: new Map([...tasks].filter(([, { info }]) => task(taskUser(info)))),
    completedExecutors: completedExecutors.filter(executor),
    completedTasks: completedTasks.filter((each) => task(each.task.user)),
  };
}
