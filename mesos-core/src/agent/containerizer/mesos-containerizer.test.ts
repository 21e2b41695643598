import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  identifyProcess,
  isSameProcessAlive,
  type ProcessIdentity,
  silentLogger,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Container,
  type ContainerIdentity,
  type Containerizer,
  LaunchError,
  type LaunchRequest,
  UNKNOWN_EXIT_STATUS,
} from './containerizer.ts';
import { commandArguments } from './launch-preparation.ts';
import { listProcesses, processTree } from './launcher/process-tree.ts';
import { RuntimeDirectory } from './launcher/runtime-directory.ts';
import { createMesosContainerizer } from './mesos-containerizer.ts';

const isRoot = process.geteuid?.() === 0;

let directory: string;
let containerizer: Containerizer;
const started: Container[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'containerizer-'));
  containerizer = createMesosContainerizer({
    runtime: new RuntimeDirectory(join(directory, 'runtime')),
    clock: systemClock,
    logger: silentLogger,
    pollIntervalMs: 20,
  });
});

afterEach(async () => {
  for (const executor of started.splice(0)) await executor.kill();
  await containerizer.close();
  // A container's supervisor may write how it ended at this moment.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

function request(value: string, changes: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    ...{ frameworkId: 'f', executorId: 'e', containerId: 'c' },
    command: { value },
    environment: { PATH: process.env.PATH ?? '', GREETING: 'hello' },
    directory: join(directory, 'runs', 'c'),
    user: undefined,
    resources: [],
    ...changes,
  };
}

async function launch(value: string, changes: Partial<LaunchRequest> = {}): Promise<Container> {
  const executor = await containerizer.launch(request(value, changes), async () => undefined);
  started.push(executor);
  return executor;
}

function output(name: 'stdout' | 'stderr'): Promise<string> {
  return readFile(join(directory, 'runs', 'latest', name), 'utf8');
}

async function gone(identity: ProcessIdentity): Promise<void> {
  await waitFor(systemClock, 'the end of a process', 3000, async () =>
    (await isSameProcessAlive(identity)) ? undefined : true,
  );
}

describe('the posix containerizer', { timeout: 20_000 }, () => {
  it('runs a shell command in its sandbox, with just the given environment', async () => {
    const executor = await launch(
      'echo "$GREETING from $(pwd)"; echo oops >&2; env | wc -l; exit 3',
    );
    expect((await executor.exited).status).toBe(3 << 8);
    const lines = (await output('stdout')).split('\n');
    expect(lines[0]).toBe(`hello from ${join(directory, 'runs', 'c')}`);
    // PATH and GREETING, and what a shell sets by itself.
    expect(Number(lines[1])).toBeLessThanOrEqual(5);
    expect(await output('stderr')).toBe('oops\n');
    expect((await stat(join(directory, 'runs', 'c'))).mode & 0o777).toBe(0o750);
  });

  it('runs a program with arguments as they are, without a shell between', async () => {
    const command = { shell: false, value: '/bin/echo', arguments: ['echo', '$HOME', 'a b', '*'] };
    const executor = await launch('', { command });
    expect((await executor.exited).status).toBe(0);
    expect(await output('stdout')).toBe('$HOME a b *\n');
  });

  it('is not met by a kill of an earlier one of its id', async () => {
    let members: readonly number[] = [];
    await containerizer.close();
    containerizer = createMesosContainerizer({
      runtime: new RuntimeDirectory(join(directory, 'runtime')),
      ...{ clock: systemClock, logger: silentLogger, pollIntervalMs: 20 },
      isolators: [{ name: 'cgroups', processes: async () => members }],
    });
    const earlier = await launch('true');
    await earlier.exited;
    await earlier.forget();
    const later = await launch('sleep 60');
    members = [later.identity.pid];
    await earlier.kill();
    expect(await isSameProcessAlive(later.identity)).toBe(true);
    members = [];
  });

  it('begins only when its identity is durable, and never when that fails', async () => {
    let seen: ProcessIdentity | undefined;
    const failing = containerizer.launch(request('touch began; sleep 60'), async (identity) => {
      seen = identity;
      expect(await isSameProcessAlive(identity)).toBe(true);
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    if (seen === undefined) throw new Error('the identity was not shown');
    await gone(seen);
    await expect(stat(join(directory, 'runs', 'c', 'began'))).rejects.toThrow('ENOENT');
  });

  it('tells the signal that ended an executor', async () => {
    const executor = await launch('kill -TERM $$; sleep 60');
    expect((await executor.exited).status).toBe(15);
  });

  it('kills everything that the executor started', async () => {
    const executor = await launch('sleep 1000 & echo $!; wait');
    const child = await waitFor(systemClock, 'a child', 3000, async () => {
      const pid = Number(await output('stdout'));
      return pid > 0 ? identifyProcess(pid) : undefined;
    });
    await executor.kill();
    expect((await executor.exited).status).toBe(9);
    await gone(child);
    await executor.kill();
  });

  it('kills what an executor leaves behind when it ends', async () => {
    const executor = await launch('sleep 1000 & echo $!');
    await executor.exited;
    const child = await identifyProcess(Number(await output('stdout')));
    if (child !== undefined) await gone(child);
  });

  it('tells exit status 137 from SIGKILL', async () => {
    const exits = await launch('exit 137');
    expect((await exits.exited).status).toBe(137 << 8);
    const killed = await launch('kill -KILL $$', { containerId: 'd' });
    expect((await killed.exited).status).toBe(9);
  });

  it('gives variables that no shell could export, and signals their default effect', async () => {
    const environment = { PATH: process.env.PATH ?? '', 'a.b': "it's", IFS: 'x' };
    const env = await launch('', { environment, command: { shell: false, value: 'env' } });
    expect((await env.exited).status).toBe(0);
    const signals = await launch('grep SigIgn /proc/self/status');
    expect((await signals.exited).status).toBe(0);
    const lines = (await output('stdout')).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(["a.b=it's", 'IFS=x', 'SigIgn:\t0000000000000000']),
    );
  });

  function laterContainerizer(): Containerizer {
    return createMesosContainerizer({
      ...{ clock: systemClock, logger: silentLogger, pollIntervalMs: 20 },
      runtime: new RuntimeDirectory(join(directory, 'runtime')),
    });
  }

  it('watches a container that an earlier agent started', async () => {
    const executor = await launch('sleep 1000');
    const later = laterContainerizer();
    const recovered = await later.recover(executor.identity);
    await recovered.kill();
    expect((await recovered.exited).status).toBe(9);
    await later.close();
  });

  it('begins under a later agent when the first one died before it let it', async () => {
    const durable = Promise.withResolvers<ContainerIdentity>();
    void containerizer.launch(request('echo ran; exit 4'), (identity) => {
      durable.resolve(identity);
      return new Promise(() => undefined);
    });
    const identity = await durable.promise;
    await containerizer.close();
    const later = createMesosContainerizer({
      ...{ runtime: new RuntimeDirectory(join(directory, 'runtime')), clock: systemClock },
      ...{ logger: silentLogger, pollIntervalMs: 20 },
    });
    const recovered = await later.recover(identity);
    expect((await recovered.exited).status).toBe(4 << 8);
    // Once: nobody listens at the gate of what has begun.
    await later.recover(identity);
    expect(await output('stdout')).toBe('ran\n');
    await later.close();
  });

  it('takes no container for an orphan whose recovery is under way', async () => {
    const { identity } = await launch('sleep 1000');
    await containerizer.close();
    const later = laterContainerizer();
    const recovering = later.recover(identity);
    await later.removeOrphans();
    expect(await isSameProcessAlive(identity)).toBe(true);
    await (await recovering).kill();
    await later.close();
  });

  it('knows how a container ended while no agent was there', async () => {
    const executor = await launch('mkfifo input; read line <input; exit 5');
    await containerizer.close();
    const input = join(directory, 'runs', 'c', 'input');
    await waitFor(systemClock, 'input', 3000, () => stat(input).catch(() => undefined));
    await writeFile(input, 'end\n');
    await gone(executor.identity);
    const later = laterContainerizer();
    const recovered = await later.recover(executor.identity);
    expect((await recovered.exited).status).toBe(5 << 8);
    await recovered.forget();
    expect(await readdir(join(directory, 'runtime', 'containers'))).toEqual([]);
    await later.close();
  });

  it('says that it does not know when the supervisor was killed too', async () => {
    const executor = await launch('sleep 1000');
    const file = join(directory, 'runtime', 'containers', 'c', 'supervisor');
    process.kill(Number.parseInt(await readFile(file, 'utf8'), 10), 'SIGKILL');
    await executor.kill();
    expect((await executor.exited).status).toBe(UNKNOWN_EXIT_STATUS);
  });

  it('ends containers that nobody has recovered', async () => {
    const known = await launch('sleep 1000', { containerId: 'known' });
    const orphan = await launch('sleep 1000', { containerId: 'orphan' });
    const later = laterContainerizer();
    await later.recover(known.identity);
    await later.removeOrphans();
    await gone(orphan.identity);
    expect(await isSameProcessAlive(known.identity)).toBe(true);
    expect(await readdir(join(directory, 'runtime', 'containers'))).toEqual(['known']);
    await later.close();
  });

  it('kills what has left the session of the executor', async () => {
    const executor = await launch('setsid sleep 1000 & sleep 1000');
    const child = await waitFor(systemClock, 'a child', 3000, async () => {
      const tree = processTree(await listProcesses(), new Set([executor.identity.pid]));
      const other = tree.find(({ session }) => session !== executor.identity.pid);
      return other === undefined ? undefined : identifyProcess(other.pid);
    });
    await executor.kill();
    await gone(child);
  });

  it('takes another process with the same pid for what it is', async () => {
    const executor = await launch('sleep 1000');
    const earlier = { ...executor.identity, startTicks: executor.identity.startTicks - 1 };
    const recovered = await containerizer.recover(earlier);
    expect((await recovered.exited).status).toBe(UNKNOWN_EXIT_STATUS);
    await recovered.kill();
    expect(await isSameProcessAlive(executor.identity)).toBe(true);
  });

  it('says what is wrong with a launch that can not work', async () => {
    await expect(launch('true', { user: 'no-such-user' })).rejects.toThrow(LaunchError);
    await expect(launch('true', { directory: '/dev/null/runs/c' })).rejects.toThrow(/sandbox/);
    expect(() => commandArguments({})).toThrow(/no value/);
  });

  it('never runs what asks for an image or volumes on the files of the host instead', async () => {
    const image = { type: 'DOCKER' as const, docker: { name: 'busybox' } };
    const volumes = [{ mode: 'RO' as const, container_path: '/data', host_path: '/etc' }];
    const refused = [
      { type: 'DOCKER' as const, docker: { image: 'busybox' } },
      { type: 'MESOS' as const, mesos: { image } },
      { type: 'MESOS' as const, volumes },
    ];
    for (const container of refused) {
      await expect(launch('touch began', { container })).rejects.toThrow(LaunchError);
    }
    expect(await readdir(join(directory, 'runtime', 'containers'))).toEqual([]);
    expect(await readdir(join(directory, 'runs', 'c'))).not.toContain('began');
  });

  it.runIf(isRoot)('runs as the given user, who owns the sandbox', async () => {
    // mkdtemp makes it 0700; the way to a work directory must be open to executors' users.
    await chmod(directory, 0o755);
    const executor = await launch('id -un; touch mine', { user: 'nobody' });
    expect((await executor.exited).status).toBe(0);
    expect(await output('stdout')).toBe('nobody\n');
    const { uid } = await stat(join(directory, 'runs', 'c', 'mine'));
    expect(uid).toBe((await stat(join(directory, 'runs', 'c'))).uid);
    expect(uid).not.toBe(0);
  });
});
