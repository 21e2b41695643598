import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ListeningServer,
  listen,
  readTextIfExists,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskInfo } from '../protocol/index.ts';
import { freePort } from '../testing/free-ports.ts';
import { decodeJournal } from './checkpoint/journal-record.ts';
import { detectCgroups } from './containerizer/isolators/cgroups/hierarchy.ts';
import { makeBusyboxRootfs } from './containerizer/testing/busybox.ts';
import { isTerminalState } from './status-stream.ts';
import { createFakeMaster, type FakeMaster } from './testing/fake-master.ts';
import { FRAMEWORK } from './testing/scenario.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const KILLER = fileURLToPath(new URL('../../fixtures/kill-at-step.ts', import.meta.url));
const isRoot = process.geteuid?.() === 0;

let directory: string;
let cgroupRoots: readonly string[];
const worlds: World[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'killed-agent-'));
  await makeBusyboxRootfs(join(directory, 'images', 'busybox'));
  cgroupRoots = [...new Set(Object.values((await detectCgroups())?.roots ?? {}))];
});

afterAll(async () => {
  for (const world of worlds) await world.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** An agent that is killed and started again, its master, and what its tasks have done. */
class World {
  readonly #home: string;
  readonly #killFile: string;
  readonly #ran: string;
  readonly #cgroupsRoot: string;
  readonly #master: FakeMaster;
  readonly #server: ListeningServer;
  readonly port: number;
  #agent: ChildProcess | undefined;
  #rounds = 0;

  private constructor(name: string, master: FakeMaster, server: ListeningServer, port: number) {
    this.#home = join(directory, name);
    this.#killFile = join(this.#home, 'kill-at');
    this.#ran = join(this.#home, 'ran');
    this.#cgroupsRoot = `mesos_killed_${process.pid}_${name}`;
    this.#master = master;
    this.#server = server;
    this.port = port;
  }

  static async create(name: string): Promise<World> {
    const master = createFakeMaster({ clock: systemClock });
    const server = await listen(master.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
    const world = new World(name, master, server, await freePort());
    worlds.push(world);
    await mkdir(world.#home);
    await writeFile(world.#ran, '');
    await world.start();
    return world;
  }

  async close(): Promise<void> {
    if (!this.hasEnded && this.#agent !== undefined) {
      const exited = once(this.#agent, 'exit');
      this.#agent.kill('SIGTERM');
      const timer = systemClock.after(5_000, () => this.#agent?.kill('SIGKILL'));
      await exited;
      timer.cancel();
    }
    this.#master.cut();
    await this.#server.close();
  }

  get hasEnded(): boolean {
    return (
      this.#agent === undefined || this.#agent.exitCode !== null || this.#agent.signalCode !== null
    );
  }

  /** Starts the agent; resolves when it has subscribed, or has ended before that. */
  async start(): Promise<void> {
    if (!this.hasEnded) throw new Error('the agent before is still there');
    const before = this.#master.subscriptions.length;
    const flags = [
      `--master=${this.#server.url.replace('http://', '')}`,
      ...[`--work_dir=${this.#home}/work`, `--port=${this.port}`, '--no-switch_user'],
      ...['--resources=cpus:4;mem:1024;disk:1024', '--launcher=linux'],
      '--isolation=cgroups/cpu,cgroups/mem,cgroups/pids,namespaces/pid,filesystem/linux',
      ...[`--cgroups_root=${this.#cgroupsRoot}`, '--image_providers=docker'],
      ...[`--docker_registry=${join(directory, 'images')}`],
      ...['--gc_delay=1ms', '--disk_watch_interval=50ms', '--executor_shutdown_grace_period=1secs'],
    ];
    const env = {
      ...{ ...process.env, FACTORY_LOG_LEVEL: 'error', KILL_AT_STEP: this.#killFile },
      // An agent starts twice as fast when its text has been seen before.
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
    };
    const options: SpawnOptions = { env, stdio: ['ignore', 'inherit', 'inherit'] };
    this.#agent = spawn(process.execPath, ['--import', KILLER, MAIN, ...flags], options);
    await waitFor(systemClock, 'SUBSCRIBE', 20_000, () =>
      this.#master.subscriptions.length > before || this.hasEnded ? true : undefined,
    );
  }

  /** From now on the agent dies at this step. */
  async arm(step: string): Promise<void> {
    await rm(`${this.#killFile}.steps`, { force: true });
    await writeFile(this.#killFile, step);
  }

  /** Gives the names of the steps that were made since {@link arm}. */
  async disarm(): Promise<readonly string[]> {
    await rm(this.#killFile, { force: true });
    const steps = await readTextIfExists(`${this.#killFile}.steps`);
    return steps?.trim().split('\n') ?? [];
  }

  /** A command task in a root file system of its own, and a group of one; both leave a line. */
  launch(): readonly string[] {
    this.#rounds += 1;
    const round = this.#rounds;
    const base = { agent_id: { value: 'agent-1' } };
    const own: TaskInfo = {
      ...{ ...base, name: 'own', task_id: { value: `own-${round}` } },
      command: { value: `echo own-${round} >>/host/ran; sleep 0.05; exit 3` },
      container: {
        type: 'MESOS',
        mesos: { image: { type: 'DOCKER', docker: { name: 'busybox' } } },
        volumes: [{ mode: 'RW', container_path: '/host', host_path: this.#home }],
      },
    };
    const member: TaskInfo = {
      ...{ ...base, name: 'member', task_id: { value: `member-${round}` } },
      command: { value: `echo member-${round} >>${this.#ran}; sleep 0.1; exit 3` },
    };
    const tasks = [member];
    const executor = { type: 'DEFAULT' as const, executor_id: { value: `default-${round}` } };
    this.#master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, tasks: [own] });
    const group = { executor, tasks, task_group: { tasks } };
    this.#master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, ...group });
    return [own, member].map(({ task_id }) => task_id.value);
  }

  /** Resolves when the agent has died, or all is over. */
  async deathOrEnd(taskIds: readonly string[]): Promise<void> {
    await waitFor(systemClock, 'death or the end', 20_000, async () => {
      if (this.hasEnded) return true;
      if (!taskIds.every((taskId) => this.#isOver(taskId))) return undefined;
      return (await this.leftovers()).length === 0 ? true : undefined;
    });
  }

  /** Every task that an agent has taken ran once, and its framework heard so; nothing is left. */
  async expectOneLife(taskIds: readonly string[], where: string): Promise<void> {
    await waitFor(systemClock, where, 20_000, () =>
      taskIds.every((taskId) => this.#isOver(taskId) || !this.#isKnown(taskId)) ? true : undefined,
    );
    const lines = (await readFile(this.#ran, 'utf8')).trim().split('\n');
    for (const taskId of taskIds) {
      const times = lines.filter((line) => line === taskId).length;
      const states = this.#updatesOf(taskId).map(({ state }) => state);
      // One that the agent had not taken yet is lost with it; its master sees that it isn't there.
      const expected = this.#isKnown(taskId)
        ? { times: 1, states: ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED'], end: STATUS_3 }
        : { times: 0, states: [], end: undefined };
      const end = this.#updatesOf(taskId).at(-1)?.message;
      expect({ taskId, times, states, end }, where).toEqual({ taskId, ...expected });
    }
    let left: readonly string[] = [];
    const isClean = async (): Promise<true | undefined> => {
      left = await this.leftovers();
      return left.length === 0 ? true : undefined;
    };
    await waitFor(systemClock, where, 10_000, isClean, 20).catch(() =>
      expect(left, where).toEqual([]),
    );
  }

  /** All that containers could have left on this machine; processes are looked for last. */
  async leftovers(): Promise<readonly string[]> {
    const journal = decodeJournal(await readFile(join(this.#home, 'work', 'meta', 'journal')));
    const left = [...journal.values.keys()].filter((key) => key !== 'agent');
    left.push(...(await namesIn(join(this.#home, 'work', 'run', 'containers'))));
    left.push(...(await namesIn(join(this.#home, 'work', 'slaves'))));
    for (const root of cgroupRoots) {
      const path = join(root, this.#cgroupsRoot);
      const below = await readdir(path, { withFileTypes: true }).catch(() => []);
      left.push(...below.filter((each) => each.isDirectory()).map(({ name }) => join(path, name)));
    }
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
    left.push(...mounts.filter((line) => line.includes(this.#home)));
    // To look through all processes of the machine takes as long as an agent takes to start.
    return left.length > 0 ? left : this.#processes();
  }

  #updatesOf(taskId: string) {
    return this.#master.updates.filter(({ task_id }) => task_id.value === taskId);
  }

  #isOver(taskId: string): boolean {
    return this.#updatesOf(taskId).some(({ state }) => isTerminalState(state));
  }

  /** Whether the agent that is there now, or the framework by an update, knows of the task. */
  #isKnown(taskId: string): boolean {
    const { tasks = [] } = this.#master.subscriptions.at(-1) ?? {};
    return (
      this.#updatesOf(taskId).length > 0 || tasks.some(({ task_id }) => task_id.value === taskId)
    );
  }

  /** Processes of containers and their supervisors: all that show the directory in some way. */
  async #processes(): Promise<readonly string[]> {
    const left: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (Number(pid) === process.pid || Number(pid) === this.#agent?.pid) continue;
      const read = (name: string): Promise<string> =>
        readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      const shown = [await read('cmdline'), await read('environ'), cwd].join(' ');
      // The launcher of the agent that is there belongs to no container.
      const isLauncher = shown.includes('launcher.sh') && cwd === '/';
      if (shown.includes(this.#home) && !isLauncher) left.push(`${pid} ${shown}`);
    }
    return left;
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch(() => []);
}

const STATUS_3 = 'Command exited with status 3';
/** What an agent does for its first task alone; and before a record is right after the step before. */
const LEFT_OUT = /agent is recorded|store|containers$|cgroup$|^before .* is (recorded|removed)$/;
const NEVER = 'never';
const TIMEOUT = { timeout: 180_000 };

// Mostly an agent starts, on one core: several do so at a time.
describe.runIf(isRoot).concurrent('an agent that is killed', TIMEOUT, () => {
  it('at any step of its tasks, loses nothing, does nothing twice and leaves nothing', async () => {
    const first = await World.create('first');
    await first.arm(NEVER);
    const rehearsal = first.launch();
    await first.deathOrEnd(rehearsal);
    await first.expectOneLife(rehearsal, 'never killed');
    const steps = [...new Set(await first.disarm())].filter((step) => !LEFT_OUT.test(step));
    const killAt = async (world: World): Promise<void> => {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
        await world.arm(step);
        const taskIds = world.launch();
        await world.deathOrEnd(taskIds);
        await world.disarm();
        if (world.hasEnded) await world.start();
        await world.expectOneLife(taskIds, `killed ${step}`);
      }
    };
    await Promise.all([killAt(first), killAt(await World.create('second'))]);
  });

  it('at any step of its recovery, goes on from there', async () => {
    const world = await World.create('recovering');
    await world.arm('after executor started is recorded');
    const taskIds = world.launch();
    await world.deathOrEnd(taskIds);
    for (let step = 1; ; step += 5) {
      await world.arm(String(step));
      await world.start();
      await world.deathOrEnd(taskIds);
      await world.disarm();
      // It has gone on to the end, as it had no step of that number to make.
      if (!world.hasEnded) break;
    }
    await world.expectOneLife(taskIds, 'killed while it recovered');
  });
});
