import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorInfo, Offer, TaskInfo } from '../../../mesos-core/src/protocol/index.ts';
import { RawExecutor } from './support/executor.ts';
import { RawFramework } from './support/framework.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { allocated, commandTask, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

async function launchGroup(
  framework: RawFramework,
  offer: Offer,
  own: Partial<ExecutorInfo>,
  tasks: readonly TaskInfo[],
): Promise<void> {
  const executor: ExecutorInfo = {
    executor_id: { value: uniqueId('executor') },
    framework_id: { value: framework.id },
    resources: allocated(offer, 'cpus:0.1;mem:32;disk:32'),
    ...own,
  };
  const operations = [
    { type: 'LAUNCH_GROUP' as const, launch_group: { executor, task_group: { tasks } } },
  ];
  const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } };
  expect((await framework.call({ type: 'ACCEPT', accept })).status).toBe(202);
}

describe.each(ENCODINGS)('LAUNCH_GROUP in %s', (encoding) => {
  async function withFramework(
    run: (framework: RawFramework, offer: Offer) => Promise<void>,
  ): Promise<void> {
    const framework = await RawFramework.subscribe(target.master, encoding);
    try {
      await run(framework, await framework.offer(isRoomy));
    } finally {
      await framework.teardown();
    }
  }

  it('runs the tasks of a group together under the default executor; the end of one ends the others', () =>
    withFramework(async (framework, offer) => {
      const [stays, fails] = [commandTask(offer, 'sleep 1000'), commandTask(offer, 'exit 3')];
      await launchGroup(framework, offer, { type: 'DEFAULT' }, [stays, fails]);
      const running = await framework.status(stays.task_id.value, 'TASK_RUNNING');
      expect(running.container_status?.container_id?.parent?.value).toEqual(expect.any(String));
      await framework.status(fails.task_id.value, 'TASK_FAILED');
      await framework.status(stays.task_id.value, 'TASK_KILLED');
    }));

  it('reaches a custom executor as one LAUNCH_GROUP', () =>
    withFramework(async (framework, offer) => {
      const executor_id = { value: uniqueId('executor') };
      const raw = new RawExecutor(target.agent, encoding, framework.id, executor_id.value);
      const tasks = [commandTask(offer, 'unused'), commandTask(offer, 'unused')];
      const command = { value: 'exec sleep 1000' };
      await launchGroup(framework, offer, { type: 'CUSTOM', executor_id, command }, tasks);
      try {
        await raw.subscribe();
        const { launch_group } = await raw.next('LAUNCH_GROUP');
        const ids = launch_group.task_group.tasks?.map(({ task_id }) => task_id);
        expect(ids).toEqual(tasks.map(({ task_id }) => task_id));
      } finally {
        raw.close();
      }
    }));

  it('drops the whole group when one of its tasks is invalid', () =>
    withFramework(async (framework, offer) => {
      const [good, bad] = [commandTask(offer, 'sleep 1000'), commandTask(offer, 'true')];
      const tooMuch = { ...bad, resources: allocated(offer, 'cpus:100000') };
      await launchGroup(framework, offer, { type: 'DEFAULT' }, [good, tooMuch]);
      for (const { task_id } of [good, bad]) {
        const status = await framework.status(task_id.value, 'TASK_ERROR');
        expect(status).toMatchObject({ reason: 'REASON_TASK_GROUP_INVALID' });
      }
    }));
});

proveCoverage(import.meta.url);
