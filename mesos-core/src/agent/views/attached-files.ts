import type { AttachedFiles } from '../../files/virtual-files.ts';
import type { AgentState, Framework } from '../state.ts';

/** The sandboxes of all runs that are known, by the path of the folder and by the ids. */
export function attachedSandboxes(state: AgentState): readonly AttachedFiles[] {
  const frameworks = [...state.completedFrameworks, ...state.frameworks.values()];
  return frameworks.flatMap((framework) =>
    runsOf(framework).flatMap((run) => paths(framework, run)),
  );
}

interface Run {
  readonly executorId: string;
  readonly containerId: string;
  readonly directory: string;
  readonly isLatest: boolean;
  /** Whose command it is; without one: the framework's. */
  readonly user: string | undefined;
}

function runsOf({ executors, completedExecutors }: Framework): readonly Run[] {
  const completed = completedExecutors.map(({ info, containerId, directory }) => ({
    ...{ executorId: info.executor_id.value, containerId, directory, isLatest: false },
    user: info.command?.user,
  }));
  const live = Array.from(executors.values(), ({ executorId, containerId, directory, info }) => ({
    ...{ executorId, containerId, directory, isLatest: true, user: info.command?.user },
  }));
  return [...completed, ...live];
}

function paths({ id, info }: Framework, run: Run): readonly AttachedFiles[] {
  const { directory: real, containerId, isLatest, user = info.user } = run;
  const runs = `/frameworks/${id}/executors/${run.executorId}/runs`;
  const all = [real, `${runs}/${containerId}`, ...(isLatest ? [`${runs}/latest`] : [])];
  return all.map((path) => ({ path, real, user }));
}
