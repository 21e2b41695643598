import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MasterCall, Resource } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { firstAgentId, get, order } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, operate, type Target } from './support/target.ts';
import { allocated, commandTask, isRoomy } from './support/tasks.ts';
import { ENCODINGS, type Encoding } from './support/wire.ts';

interface Scene {
  readonly target: Target;
  readonly encoding: Encoding;
  /** Runs one task. */
  readonly framework: RawFramework;
  readonly taskId: string;
}

interface Case {
  readonly call: MasterCall['type'];
  readonly does: string;
  readonly run: (scene: Scene) => Promise<void>;
}

const reservedMemory: Resource = {
  ...{ name: 'mem', type: 'SCALAR' as const, scalar: { value: 64 } },
  reservations: [{ type: 'DYNAMIC', role: 'qa', principal: 'conformance' }],
};
const reservedDisk: Resource = { ...reservedMemory, name: 'disk' };
const volume: Resource = {
  ...reservedDisk,
  disk: {
    persistence: { id: 'conformance-volume', principal: 'conformance' },
    volume: { container_path: 'data', mode: 'RW' },
  },
};

const CASES: readonly Case[] = [
  {
    call: 'GET_HEALTH',
    does: 'says that the master is healthy',
    run: async (scene) => {
      const { get_health } = await get(scene, { type: 'GET_HEALTH' });
      expect(get_health.healthy).toBe(true);
    },
  },
  {
    call: 'GET_VERSION',
    does: 'names the version',
    run: async (scene) => {
      const { get_version } = await get(scene, { type: 'GET_VERSION' });
      expect(get_version.version_info.version).toMatch(/^1\.\d+\.\d+/);
    },
  },
  {
    call: 'GET_METRICS',
    does: 'gives figures by name',
    run: async (scene) => {
      const timeout = { nanoseconds: 5_000_000_000 };
      const { get_metrics } = await get(scene, { type: 'GET_METRICS', get_metrics: { timeout } });
      const named = new Map((get_metrics.metrics ?? []).map(({ name, value }) => [name, value]));
      expect(named.get('master/elected')).toBe(1);
      expect(named.get('master/slaves_active')).toBe(1);
    },
  },
  {
    call: 'GET_MASTER',
    does: 'describes the master',
    run: async (scene) => {
      const { get_master } = await get(scene, { type: 'GET_MASTER' });
      expect(get_master.master_info?.address?.port).toBe(Number(new URL(scene.target.master).port));
    },
  },
  {
    call: 'GET_AGENTS',
    does: 'lists agents with what they have, and what is allocated of it',
    run: async (scene) => {
      const { get_agents } = await get(scene, { type: 'GET_AGENTS' });
      const [agent] = get_agents.agents ?? [];
      expect(agent).toMatchObject({ active: true, version: expect.any(String) });
      expect(agent?.total_resources?.map(({ name }) => name)).toContain('cpus');
      expect(agent?.allocated_resources?.map(({ name }) => name)).toContain('cpus');
    },
  },
  {
    call: 'GET_FRAMEWORKS',
    does: 'lists frameworks',
    run: async (scene) => {
      const { get_frameworks } = await get(scene, { type: 'GET_FRAMEWORKS' });
      const own = get_frameworks.frameworks?.find(
        ({ framework_info }) => framework_info.id?.value === scene.framework.id,
      );
      expect(own).toMatchObject({ active: true, connected: true });
    },
  },
  {
    call: 'GET_TASKS',
    does: 'lists tasks',
    run: async (scene) => {
      const { get_tasks } = await get(scene, { type: 'GET_TASKS' });
      const own = get_tasks.tasks?.find(({ task_id }) => task_id.value === scene.taskId);
      expect(own).toMatchObject({ state: 'TASK_RUNNING' });
    },
  },
  {
    call: 'GET_EXECUTORS',
    does: 'lists executors of frameworks, not those of command tasks',
    run: async (scene) => {
      const { get_executors } = await get(scene, { type: 'GET_EXECUTORS' });
      expect(get_executors.executors ?? []).toEqual([]);
    },
  },
  {
    call: 'GET_STATE',
    does: 'gives all four together',
    run: async (scene) => {
      const { get_state } = await get(scene, { type: 'GET_STATE' });
      expect(get_state.get_agents?.agents).toHaveLength(1);
      const ids = get_state.get_tasks?.tasks?.map(({ task_id }) => task_id.value);
      expect(ids).toContain(scene.taskId);
    },
  },
  {
    call: 'GET_ROLES',
    does: 'lists roles with their frameworks',
    run: async (scene) => {
      const { get_roles } = await get(scene, { type: 'GET_ROLES' });
      const eng = get_roles.roles?.find(({ name }) => name === 'eng');
      expect(eng?.frameworks).toContainEqual({ value: scene.framework.id });
    },
  },
  {
    call: 'GET_OPERATIONS',
    does: 'lists operations',
    run: async (scene) => {
      const { get_operations } = await get(scene, { type: 'GET_OPERATIONS' });
      expect(get_operations.operations ?? []).toEqual([]);
    },
  },
  {
    call: 'RESERVE_RESOURCES',
    does: 'reserves, and UNRESERVE_RESOURCES gives back',
    run: async (scene) => {
      const agent_id = await firstAgentId(scene);
      const resources = [reservedMemory];
      const reserve_resources = { agent_id, resources };
      await order(scene, { type: 'RESERVE_RESOURCES', reserve_resources }, 202);
      const { get_agents } = await get(scene, { type: 'GET_AGENTS' });
      const roles = (get_agents.agents?.[0]?.total_resources ?? []).flatMap(
        ({ reservations = [] }) => reservations.map(({ role }) => role),
      );
      expect(roles).toContain('qa');
      await order(
        scene,
        { type: 'UNRESERVE_RESOURCES', unreserve_resources: reserve_resources },
        202,
      );
    },
  },
  {
    call: 'UNRESERVE_RESOURCES',
    does: 'of what is not reserved is a conflict',
    run: async (scene) => {
      const agent_id = await firstAgentId(scene);
      const resources = [{ ...reservedMemory, scalar: { value: 1_000_000 } }];
      const answer = await operate(scene.target.master, scene.encoding, {
        ...{ type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id, resources } },
      });
      expect(answer.status).toBe(409);
    },
  },
  {
    call: 'CREATE_VOLUMES',
    does: 'makes a volume, and DESTROY_VOLUMES removes it',
    run: async (scene) => {
      const agent_id = await firstAgentId(scene);
      const resources = [reservedDisk];
      const volumes = [volume];
      const reserve_resources = { agent_id, resources };
      await order(scene, { type: 'RESERVE_RESOURCES', reserve_resources }, 202);
      await order(scene, { type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes } }, 202);
      const { get_agents } = await get(scene, { type: 'GET_AGENTS' });
      const ids = (get_agents.agents?.[0]?.total_resources ?? []).map(
        ({ disk }) => disk?.persistence?.id,
      );
      expect(ids).toContain('conformance-volume');
      await order(scene, { type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id, volumes } }, 202);
      await order(
        scene,
        { type: 'UNRESERVE_RESOURCES', unreserve_resources: reserve_resources },
        202,
      );
    },
  },
  {
    call: 'DESTROY_VOLUMES',
    does: 'of a volume that is not there is a conflict',
    run: async (scene) => {
      const agent_id = await firstAgentId(scene);
      const answer = await operate(scene.target.master, scene.encoding, {
        ...{ type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id, volumes: [volume] } },
      });
      expect([400, 409]).toContain(answer.status);
    },
  },
  {
    call: 'TEARDOWN',
    does: 'ends a framework',
    run: async (scene) => {
      const other = await RawFramework.subscribe(scene.target.master, scene.encoding);
      const framework_id = { value: other.id };
      await order(scene, { type: 'TEARDOWN', teardown: { framework_id } }, 200);
      await other.ended();
      const again = await operate(scene.target.master, scene.encoding, {
        ...{ type: 'TEARDOWN', teardown: { framework_id } },
      });
      expect(again.status).toBe(400);
    },
  },
];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

for (const encoding of ENCODINGS) {
  describe(`operator calls in ${encoding}`, () => {
    let framework: RawFramework;
    let taskId: string;
    beforeAll(async () => {
      framework = await RawFramework.subscribe(target.master, encoding);
      const offer = await framework.offer(isRoomy);
      const task = {
        ...commandTask(offer, 'sleep 1000'),
        resources: allocated(offer, 'cpus:0.1;mem:32'),
      };
      taskId = task.task_id.value;
      await framework.launch(offer, task);
      await framework.status(taskId, 'TASK_RUNNING');
      // What is on offer can't be reserved by operators.
      await framework.call({ type: 'SUPPRESS' });
    });
    afterAll(() => framework.teardown());

    it.each(CASES)('$call $does', async ({ run }) => {
      await run({ target, encoding, framework, taskId });
    });
  });
}

proveCoverage(import.meta.url);
