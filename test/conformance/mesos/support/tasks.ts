import { fileURLToPath } from 'node:url';
import {
  type ExecutorInfo,
  type Offer,
  parseResources,
  type Resource,
  type TaskInfo,
} from '../../../../mesos-core/src/protocol/index.ts';

const EXECUTOR = fileURLToPath(
  new URL('../../../../mesos-core/fixtures/tiny-executor.ts', import.meta.url),
);

let count = 0;

/** A name that no other case uses. */
export function uniqueId(name: string): string {
  count += 1;
  return `${name}-${process.pid}-${count}`;
}

/** Resources marked for the offer's role, as an ACCEPT names them. */
export function allocated(offer: Offer, text: string): readonly Resource[] {
  const role = offer.allocation_info?.role ?? '*';
  return parseResources(text).map((each) => ({ ...each, allocation_info: { role } }));
}

/** A task that is a shell command. */
export function commandTask(offer: Offer, value: string): TaskInfo {
  const id = uniqueId('command');
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    command: { value },
    resources: allocated(offer, 'cpus:0.1;mem:32'),
  };
}

/** A task of an executor that answers `ping` with `pong` and dies of `crash`. */
export function executorTask(offer: Offer, executorId: string): TaskInfo {
  const id = uniqueId('task');
  const executor: ExecutorInfo = {
    type: 'CUSTOM',
    executor_id: { value: executorId },
    name: 'tiny',
    command: { value: `exec ${process.execPath} ${EXECUTOR}` },
    resources: allocated(offer, 'cpus:0.1;mem:64'),
  };
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    executor,
    resources: allocated(offer, 'cpus:0.1;mem:32'),
  };
}

/** An offer with enough for a few tasks. */
export function isRoomy(offer: Offer): boolean {
  const amount = (name: string): number =>
    (offer.resources ?? [])
      .filter((each) => each.name === name && (each.reservations ?? []).length === 0)
      .reduce((sum, each) => sum + (each.scalar?.value ?? 0), 0);
  return amount('cpus') >= 1 && amount('mem') >= 512;
}
