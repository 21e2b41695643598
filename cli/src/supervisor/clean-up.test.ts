import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess, type ProcessIdentity } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endOf, hurriedClock, idleProcess } from '../testing.ts';
import { cleanUp, endAll } from './clean-up.ts';
import { hostDirectory, type Layout, layoutOf } from './layout.ts';
import {
  identify,
  isSupervisorAlive,
  type RunState,
  readRunState,
  writeRunState,
} from './run-state.ts';

let layout: Layout;
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'factory-clean-up-'));
  layout = layoutOf('/opt/factory', directory);
  await mkdir(layout.run, { recursive: true });
});
afterEach(() => rm(layout.data, { recursive: true }));

async function identityOf(pid: number): Promise<ProcessIdentity> {
  const identity = await identifyProcess(pid);
  if (identity === undefined) throw new Error(`no process ${pid}`);
  return identity;
}

async function state(changes: Partial<RunState> = {}): Promise<RunState> {
  const supervisor = await identityOf(process.pid);
  return {
    supervisor,
    ready: true,
    hypervisor: 'simulated',
    processes: [],
    daemons: [],
    ...changes,
  };
}

function processNamed(name: string, identity: ProcessIdentity | null) {
  return { name, readyUrl: 'http://127.0.0.1:1/', logFile: 'x.log', identity, restarts: 0 };
}

const clean = (keepVms: boolean) =>
  cleanUp({ layout, keepVms, clock: hurriedClock, onProgress: () => undefined });

describe('the state of a run', () => {
  it('is read as it was written, and tells whether its supervisor lives', async () => {
    expect(await readRunState(layout)).toBeUndefined();
    const written = await state({ processes: [processNamed('api-gateway', null)] });
    await writeRunState(layout, written);
    expect(await readRunState(layout)).toEqual(written);
    expect(await isSupervisorAlive(written)).toBe(true);
    const reborn = { ...written.supervisor, startTicks: written.supervisor.startTicks - 1 };
    expect(await isSupervisorAlive({ ...written, supervisor: reborn })).toBe(false);
    expect(await isSupervisorAlive(undefined)).toBe(false);
    expect(await identify(undefined)).toBeNull();
  });

  it('of another version counts as none', async () => {
    await writeFile(layout.supervisorFile, '{"version":"other"}');
    expect(await readRunState(layout)).toBeUndefined();
  });
});

describe('cleaning up', () => {
  it('ends what a killed supervisor has left, executors and daemons too', async () => {
    const [service, executor, daemon] = [
      await idleProcess(),
      await idleProcess(),
      await idleProcess(),
    ];
    const host = hostDirectory(layout, 'cluster-1', 'agent-1');
    await mkdir(host, { recursive: true });
    await writeFile(join(host, 'executor.json'), JSON.stringify(await identityOf(executor.pid)));
    await writeRunState(
      layout,
      await state({
        processes: [
          processNamed('api-gateway', await identityOf(service.pid)),
          processNamed('api-server', null),
        ],
        daemons: [{ name: 'libvirtd', identity: await identityOf(daemon.pid) }],
      }),
    );
    await writeFile(layout.endpointsFile, '{}');
    await clean(false);
    expect(await Promise.all([service, executor, daemon].map(endOf))).toEqual(
      Array(3).fill('SIGTERM'),
    );
    expect(await readdir(layout.run)).toEqual([]);
    expect(await readdir(layout.data)).not.toContain('endpoints.json');
  });

  it('leaves what the guests need when they are kept', async () => {
    const daemon = await idleProcess();
    const daemons = [{ name: 'libvirtd', identity: await identityOf(daemon.pid) }];
    await writeRunState(layout, await state({ daemons, processes: [processNamed('x', null)] }));
    await clean(true);
    expect(await identifyProcess(daemon.pid)).toBeDefined();
    expect(await readRunState(layout)).toMatchObject({ ready: false, processes: [], daemons });
    await clean(false);
    expect(await endOf(daemon)).toBe('SIGTERM');
  });

  it('never ends a stranger that has the pid by now', async () => {
    const stranger = await idleProcess();
    const identity = await identityOf(stranger.pid);
    await endAll([{ ...identity, startTicks: identity.startTicks - 1 }], hurriedClock);
    await endAll([{ ...identity, bootId: 'another boot' }], hurriedClock);
    expect(await identifyProcess(stranger.pid)).toEqual(identity);
    await endAll([identity], hurriedClock);
    expect(await endOf(stranger)).toBe('SIGTERM');
    await endAll([identity], hurriedClock);
  });

  it('ends by force what does not end by itself', async () => {
    const deaf = await idleProcess(true);
    await endAll([await identityOf(deaf.pid)], hurriedClock);
    expect(await endOf(deaf)).toBe('SIGKILL');
  });
});
