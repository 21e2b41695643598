import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { jsonPieces, type LazyMessage, parseResources, type Task } from '../../protocol/index.ts';
import { MasterCore } from '../core.ts';
import { newRegistry } from '../registry.ts';
import { createMemoryRegistryStore } from '../registry-store/memory-store.ts';
import { DEFAULT_SETTINGS } from '../settings.ts';
import { olderFrameworks } from './older-frameworks.ts';
import { olderRoles } from './older-roles.ts';
import { olderState, olderSummary } from './older-state.ts';
import { olderTasks, readTaskQuery } from './older-tasks.ts';
import { getFrameworks, getState } from './operator-form.ts';
import type { AgentView, ClusterSnapshot, FrameworkView } from './snapshot.ts';
import { seesAll } from './visibility.ts';

const TASKS = 20_000;
/** So much may be looked at before others have a turn; what is written of it is less by far. */
const LOOKS_MAX = 10_000;

let looks = 0;

/** A task that counts how often it is looked at. */
function task(id: number): Task {
  return {
    ...{ name: 't', task_id: { value: `t${id}` }, agent_id: { value: 'a' } },
    get framework_id() {
      looks += 1;
      return { value: 'f' };
    },
    state: 'TASK_RUNNING',
    resources: RESOURCES,
    statuses: [{ task_id: { value: `t${id}` }, state: 'TASK_RUNNING', timestamp: id % 1000 }],
  };
}

const RESOURCES = parseResources('cpus:1;mem:1');
const tasks = Array.from({ length: TASKS }, (_, id) => task(id));

const AGENT: AgentView = {
  ...{ id: 'a', info: { hostname: 'a' }, pid: 'slave(1)@a:5051', version: '', capabilities: [] },
  ...{ isConnected: true, outOfService: undefined, registeredAtMs: 0, reregisteredAtMs: 0 },
  ...{ total: RESOURCES, offers: [], tasks: [], executors: [] },
};
const FRAMEWORK: FrameworkView = {
  ...{ id: 'f', info: { name: 'f', user: 'u' }, isConnected: true, isRecovered: false },
  ...{ registeredAtMs: 0, reregisteredAtMs: 0, unregisteredAtMs: undefined },
  ...{ offerConstraints: {}, offers: [], inverseOffers: [] },
};
const EMPTY: ClusterSnapshot = {
  ...{ agents: [AGENT], recoveredAgents: [], unreachableAgents: 0 },
  ...{ frameworks: [FRAMEWORK], completedFrameworks: [] },
  ...{ unreachableTasks: [], completedTasks: [] },
};
const SNAPSHOTS: readonly (readonly [string, ClusterSnapshot])[] = [
  ['on one agent', { ...EMPTY, agents: [{ ...AGENT, tasks }] }],
  ['on many agents', { ...EMPTY, agents: tasks.map((each) => ({ ...AGENT, tasks: [each] })) }],
  ['that are unreachable', { ...EMPTY, unreachableTasks: tasks }],
  ['that are completed', { ...EMPTY, completedTasks: tasks }],
];

const core = new MasterCore({
  ...{ clock: new VirtualClock(), random: seededRandom('core'), logger: silentLogger },
  ...{ settings: DEFAULT_SETTINGS, registry: newRegistry('m'), store: createMemoryRegistryStore() },
  address: { hostname: 'm', ip: '127.0.0.1', port: 5050 },
});
const query = (text: string) => readTaskQuery(new URLSearchParams(text));
const VIEWS: readonly (readonly [string, (snapshot: ClusterSnapshot) => LazyMessage])[] = [
  ['/state', (snapshot) => olderState(core, snapshot, undefined)],
  ['/state-summary', (snapshot) => olderSummary(core, snapshot, undefined)],
  ['/frameworks', (snapshot) => olderFrameworks(snapshot, null)],
  ['/roles', (snapshot) => olderRoles(core, snapshot, seesAll)],
  ['/tasks of all', (snapshot) => olderTasks(snapshot, query('limit=999999999'))],
  ['/tasks far off', (snapshot) => olderTasks(snapshot, query('limit=9&offset=19999'))],
  ['/tasks of nobody', (snapshot) => olderTasks(snapshot, query('framework_id=x'))],
  ['GET_STATE', getState],
  ['GET_FRAMEWORKS', getFrameworks],
];

describe.each(SNAPSHOTS)('a great many tasks %s', (_where, snapshot) => {
  it.each(VIEWS)('never make %s hold up others for long', (_name, view) => {
    looks = 0;
    let [most, before] = [0, 0];
    for (const _piece of jsonPieces(view(snapshot))) {
      most = Math.max(most, looks - before);
      before = looks;
    }
    expect(Math.max(most, looks - before)).toBeLessThan(LOOKS_MAX);
  });
});
