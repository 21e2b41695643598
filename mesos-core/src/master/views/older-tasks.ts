import { MesosHttpError } from '../../http/mesos-http.ts';
import { firstInOrder, inSteps } from '../../http/steps.ts';
import { LazyList, LazyMessage, olderTask, type Task } from '../../protocol/index.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Without `?limit=` no more tasks are shown. */
const LIMIT_DEFAULT = 100;

/** Which tasks, and in which order. */
export interface TaskQuery {
  readonly limit: number;
  readonly offset: number;
  readonly isAscending: boolean;
  readonly frameworkId: string | null;
  readonly taskId: string | null;
}

/** @throws MesosHttpError 400 when a number is none. */
export function readTaskQuery(query: URLSearchParams): TaskQuery {
  return {
    limit: naturalNumber(query, 'limit') ?? LIMIT_DEFAULT,
    offset: naturalNumber(query, 'offset') ?? 0,
    isAscending: query.get('order') === 'asc',
    frameworkId: query.get('framework_id'),
    taskId: query.get('task_id'),
  };
}

function naturalNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new MesosHttpError(400, `Failed to parse '${name}': Failed to convert '${text}' to number`);
}

/** `GET /tasks`: by the time of their first status, the newest first unless asked otherwise. */
export function olderTasks(snapshot: ClusterSnapshot, query: TaskQuery): LazyMessage {
  return new LazyMessage({
    tasks: new LazyList(function* () {
      const wanted = yield* select(snapshot, query);
      for (const task of wanted) yield olderTask(task);
    }),
  });
}

/** Those that are shown, at last; yields while they are looked for. */
function* select(
  snapshot: ClusterSnapshot,
  { limit, offset, isAscending, frameworkId, taskId }: TaskQuery,
): Generator<undefined, readonly Task[]> {
  const sign = isAscending ? 1 : -1;
  const compare = (a: Task, b: Task): number => sign * (firstHeard(a) - firstHeard(b));
  const isWanted = (task: Task): boolean =>
    (frameworkId === null || task.framework_id.value === frameworkId) &&
    (taskId === null || task.task_id.value === taskId);
  const candidates = function* (): Generator<Task | undefined> {
    for (const task of inSteps(lists(snapshot))) {
      if (task === undefined || isWanted(task)) yield task;
    }
  };
  const best = yield* firstInOrder(candidates(), compare, offset + limit);
  return best.slice(offset);
}

function* lists(snapshot: ClusterSnapshot): Generator<readonly Task[]> {
  for (const { tasks } of snapshot.agents) yield tasks;
  yield snapshot.unreachableTasks;
  yield snapshot.completedTasks;
}

function firstHeard({ statuses }: Task): number {
  return statuses?.[0]?.timestamp ?? 0;
}
