import type { CommandInfo, ExecutorInfo, TaskInfo } from '../../protocol/index.ts';

/** What Mesos adds to a command task's container for its executor. */
const OVERHEAD = { cpus: 0.1, memMiB: 32 };

/** Mesos shows commands of at most this many characters, of longer ones the first twelve. */
const SHOWN_LENGTH_MAX = 15;
const CUT_LENGTH = 12;

/** The executor of a task that names none, as Mesos makes it up and shows it. Pure. */
export function commandExecutorInfo(task: TaskInfo): ExecutorInfo {
  const { task_id, command = {}, container, labels, discovery } = task;
  const { uris, environment, user } = command;
  return {
    executor_id: task_id,
    command: {
      ...{ shell: false, value: 'mesos-executor', arguments: ['mesos-executor'] },
      ...(uris === undefined ? {} : { uris }),
      ...(environment === undefined ? {} : { environment }),
      ...(user === undefined ? {} : { user }),
    },
    ...(container === undefined ? {} : { container }),
    resources: overheadFor(task),
    name: `Command Executor (Task: ${task_id.value}) (Command: ${shownCommand(command)})`,
    source: task_id.value,
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
  };
}

function overheadFor(task: TaskInfo): NonNullable<ExecutorInfo['resources']> {
  const allocation = task.resources?.find((each) => each.allocation_info)?.allocation_info;
  const scalar = (name: string, value: number) => ({
    ...{ name, type: 'SCALAR' as const, scalar: { value } },
    ...(allocation === undefined ? {} : { allocation_info: allocation }),
  });
  return [scalar('cpus', OVERHEAD.cpus), scalar('mem', OVERHEAD.memMiB)];
}

function shownCommand({ shell = true, value, arguments: args = [] }: CommandInfo): string {
  if (value === undefined || value === '') return shell ? 'NO COMMAND' : 'NO EXECUTABLE';
  return shell ? `sh -c '${cut(value)}'` : `[${cut([value, ...args].join(', '))}]`;
}

function cut(text: string): string {
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, CUT_LENGTH)}...`;
}
