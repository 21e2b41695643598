import { randomBytes } from 'node:crypto';
import { sleep, systemClock, systemRandom } from '@factory/runtime';
import {
  AGENT_API_PATH,
  type AgentCall,
  type AgentEvent,
  type AgentUpdate,
  type ExecutorInfo,
  type FrameworkInfo,
  parseResources,
  ResourceLists,
  type Task,
  toldSubscribe,
  toldTask,
} from 'mesos-core/protocol';
import { type Address, canConnect, openStream, Pipeline } from './raw-http.ts';

/**
 * A process of simulated agents: each has a connection of its own to the master, runs every task the
 * moment it is launched, and comes back with all its tasks when the master was away. Started with
 * one JSON argument; tells its parent `{ subscribed: N }` whenever that number changes.
 */
export interface AgentsArguments {
  readonly master: Address;
  readonly count: number;
  readonly prefix: string;
  readonly resources: string;
}

/** Calls of all agents of the process share so many connections. */
const CALL_CONNECTIONS = 8;
const RETRY_MS = 10;
const REPORT_INTERVAL_MS = 10;
const HEARTBEAT_INTERVAL_MS = 10_000;
const HEARTBEAT_PARTS = 500;

const { master, count, prefix, resources }: AgentsArguments = JSON.parse(process.argv[2] ?? '{}');
const total = parseResources(resources);
const pipelines = Array.from({ length: CALL_CONNECTIONS }, () => new Pipeline(master));
const decoder = new TextDecoder();
let subscribed = 0;
let reported = -1;

class SimulatedAgent {
  readonly #hostname: string;
  readonly #pipeline: Pipeline;
  /** As texts: thousands of agents that write the same tasks at once would be what is measured. */
  readonly #tasks = new Map<string, string>();
  readonly #resourceLists = new ResourceLists();
  readonly #frameworks = new Map<string, FrameworkInfo>();
  readonly #executors = new Map<string, ExecutorInfo>();
  #id: string | undefined;
  /** So that not all agents come back at once. */
  #spreadMs = 0;

  constructor(number: number) {
    this.#hostname = `${prefix}-${number}`;
    this.#pipeline = pipelines[number % CALL_CONNECTIONS] ?? new Pipeline(master);
  }

  async subscribe(): Promise<void> {
    // Once, while the master is away: a real agent has a machine of its own for it.
    const body = this.#subscribeBody();
    for (;;) {
      try {
        await openStream(master, AGENT_API_PATH, body, {
          onRecord: (record) => this.#onEvent(JSON.parse(decoder.decode(record))),
          onEnd: () => this.#onEnd(),
        });
        return;
      } catch {
        await masterIsBack();
        await sleep(systemClock, systemRandom.next() * this.#spreadMs);
      }
    }
  }

  heartbeat(): void {
    if (this.#id !== undefined) this.#call({ type: 'HEARTBEAT', agent_id: this.#id });
  }

  #subscribeBody(): string {
    const id = this.#id === undefined ? {} : { id: { value: this.#id } };
    const call = {
      type: 'SUBSCRIBE',
      subscribe: toldSubscribe({
        agent_info: { hostname: this.#hostname, port: 5051, resources: total, ...id },
        version: '1.12.0',
        capabilities: ['MULTI_ROLE', 'RESERVATION_REFINEMENT'],
        total_resources: total,
        frameworks: [...this.#frameworks.values()],
        executors: [...this.#executors.values()],
        tasks: [],
      }),
    };
    const tasks = [...this.#tasks.values()].join(',');
    const lists = JSON.stringify(this.#resourceLists.all);
    return JSON.stringify(call)
      .replace('"tasks":[]', () => `"tasks":[${tasks}]`)
      .replace('"resource_lists":[]', () => `"resource_lists":${lists}`);
  }

  #onEnd(): void {
    subscribed -= 1;
    void this.subscribe();
  }

  #onEvent(event: AgentEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#id = event.agent_id;
        this.#spreadMs = event.resubscribe_spread_ms ?? 0;
        subscribed += 1;
        return;
      case 'RUN_TASKS':
        this.#run(event);
        return;
      default:
        return;
    }
  }

  #run({ framework, executor, tasks }: Extract<AgentEvent, { type: 'RUN_TASKS' }>): void {
    const agentId = this.#id;
    const frameworkId = framework.id;
    if (agentId === undefined || frameworkId === undefined) return;
    this.#frameworks.set(frameworkId.value, framework);
    if (executor !== undefined) this.#executors.set(executor.executor_id.value, executor);
    const updates: AgentUpdate[] = [];
    for (const { name, task_id, agent_id, resources: taken } of tasks) {
      const status = {
        task_id,
        agent_id,
        state: 'TASK_RUNNING',
        source: 'SOURCE_EXECUTOR',
        timestamp: 1,
        uuid: randomBytes(16).toString('base64'),
        ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
      } as const;
      const task: Task = {
        ...{ name, task_id, agent_id, framework_id: frameworkId, state: 'TASK_RUNNING' },
        resources: taken ?? [],
        statuses: [status],
        ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
      };
      const told = toldTask(task, agentId, this.#resourceLists);
      this.#tasks.set(task_id.value, JSON.stringify(told));
      updates.push({
        framework_id: frameworkId.value,
        status,
        latest_state: 'TASK_RUNNING',
      });
    }
    this.#call({ type: 'UPDATES', agent_id: agentId, updates });
  }

  #call(call: AgentCall): void {
    // What is lost with the connection is told again by the next SUBSCRIBE.
    this.#pipeline.post(AGENT_API_PATH, '', JSON.stringify(call)).catch(() => undefined);
  }
}

let returning: Promise<void> | undefined;

/** One of all agents of the process looks for the master: they are not what is measured. */
function masterIsBack(): Promise<void> {
  returning ??= (async () => {
    while (!(await canConnect(master))) await sleep(systemClock, RETRY_MS);
    returning = undefined;
  })();
  return returning;
}

const agents = Array.from({ length: count }, (_, number) => new SimulatedAgent(number));
every(REPORT_INTERVAL_MS, () => {
  if (reported !== subscribed) process.send?.({ subscribed });
  reported = subscribed;
});
// Agents were not all started in the same millisecond: neither do their hearts beat in the same.
let beat = 0;
every(HEARTBEAT_INTERVAL_MS / HEARTBEAT_PARTS, () => {
  for (let index = beat; index < agents.length; index += HEARTBEAT_PARTS)
    agents[index]?.heartbeat();
  beat = (beat + 1) % HEARTBEAT_PARTS;
});
process.on('disconnect', () => process.exit());
await Promise.all(agents.map((agent) => agent.subscribe()));

function every(intervalMs: number, work: () => void): void {
  systemClock.after(intervalMs, () => {
    work();
    every(intervalMs, work);
  });
}
