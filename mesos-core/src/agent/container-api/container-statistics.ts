import type {
  AgentApiResponseGetContainers,
  AgentApiResponseGetContainersContainer,
  ResourceStatistics,
} from '../../protocol/index.ts';
import type { AgentContext } from '../context.ts';
import type { ExecutorRun } from '../state.ts';
import { allRuns } from '../views.ts';
import type { Visibility } from '../visibility.ts';
import { containerIdOf } from './container-ids.ts';

/** Which containers GET_CONTAINERS shows besides those of executors. */
export interface ShownContainers {
  readonly show_nested?: boolean | undefined;
  readonly show_standalone?: boolean | undefined;
}

/** All containers that the caller may see with what they use, as GET_CONTAINERS shows them. */
export async function getContainers(
  context: AgentContext,
  visibility: Pick<Visibility, 'container' | 'standaloneContainers'>,
  shown: ShownContainers = {},
): Promise<AgentApiResponseGetContainers> {
  const runs = new Map(allRuns(context.state).map((run) => [run.containerId, run]));
  const others = context.containerizer.list().filter((key) => {
    if (key.includes('.')) return shown.show_nested === true;
    return !runs.has(key) && shown.show_standalone === true;
  });
  const isVisible = (run: ExecutorRun | undefined): boolean => {
    if (run === undefined) return visibility.standaloneContainers();
    const framework = context.state.frameworks.get(run.frameworkId);
    return framework !== undefined && visibility.container(run.info, framework.info);
  };
  const containers: AgentApiResponseGetContainersContainer[] = [];
  for (const key of [...runs.keys(), ...others]) {
    const run = runs.get(key.split('.', 1)[0] ?? '');
    if (!isVisible(run)) continue;
    const container =
      run?.containerId === key ? run.container : await context.containerizer.find(key);
    const statistics = await usageOf(context, container);
    containers.push({
      ...(run === undefined
        ? {}
        : {
            framework_id: { value: run.frameworkId },
            executor_id: { value: run.executorId },
            executor_name: run.info.name ?? '',
          }),
      container_id: containerIdOf(key),
      container_status: {
        container_id: containerIdOf(key),
        executor_pid: container?.identity.pid ?? run?.identity?.pid,
      },
      ...(statistics === undefined ? {} : { resource_statistics: statistics }),
    });
  }
  return { containers };
}

/** One executor in `/monitor/statistics`. */
export interface MonitoredExecutor {
  readonly executor_id: string;
  readonly executor_name: string;
  readonly framework_id: string;
  readonly source: string;
  readonly statistics: ResourceStatistics;
}

/** What executors use, as `/monitor/statistics` shows it. */
export async function monitorStatistics(
  context: AgentContext,
): Promise<readonly MonitoredExecutor[]> {
  const found = await Promise.all(
    allRuns(context.state).map(async (run) => {
      const statistics = await usageOf(context, run.container);
      if (statistics === undefined) return [];
      const { executorId, frameworkId, info } = run;
      const name = info.name ?? '';
      const source = info.source ?? executorId;
      const ids = { executor_id: executorId, executor_name: name, framework_id: frameworkId };
      return [{ ...ids, source, statistics }];
    }),
  );
  return found.flat();
}

async function usageOf(
  { logger }: AgentContext,
  container: { readonly usage: () => Promise<ResourceStatistics> } | undefined,
): Promise<ResourceStatistics | undefined> {
  try {
    return await container?.usage();
  } catch (err) {
    // It may be ending just now; the others are still of interest.
    logger.warn({ err }, "can't measure a container");
    return undefined;
  }
}
