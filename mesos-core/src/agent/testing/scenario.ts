import { fileURLToPath } from 'node:url';
import type { ExecutorInfo, FrameworkInfo, TaskInfo } from '../../protocol/index.ts';

/** A framework whose executors outlive the agent. */
export const FRAMEWORK: FrameworkInfo = {
  id: { value: 'framework-1' },
  name: 'test',
  user: 'root',
  checkpoint: true,
  roles: ['*'],
  capabilities: [{ type: 'PARTITION_AWARE' }, { type: 'MULTI_ROLE' }],
};

const FIXTURE = fileURLToPath(new URL('../../../fixtures/tiny-executor.ts', import.meta.url));

/** The executor of `fixtures/tiny-executor.ts`. */
export function tinyExecutor(
  id = 'executor-1',
  environment: Readonly<Record<string, string>> = {},
): ExecutorInfo {
  const variables = Object.entries(environment).map(([name, value]) => ({ name, value }));
  return {
    type: 'CUSTOM',
    executor_id: { value: id },
    framework_id: { value: 'framework-1' },
    command: {
      shell: false,
      value: process.execPath,
      arguments: ['node', '--no-warnings', FIXTURE],
      environment: { variables },
    },
    name: 'tiny',
    resources: [],
  };
}

/** A task without resources. */
export function task(id: string, executor: ExecutorInfo): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'agent-1' }, executor };
}

/** RUN_TASKS for tasks of these ids. */
export function runTasks(executor: ExecutorInfo, ...ids: readonly string[]) {
  return {
    type: 'RUN_TASKS' as const,
    framework: FRAMEWORK,
    executor,
    tasks: ids.map((id) => task(id, executor)),
  };
}
