import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  hasErrorCode,
  isSameProcessAlive,
  type ProcessIdentity,
  readJsonIfExists,
  silentLogger,
  waitFor,
} from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { run } from './host.ts';
import type { Layout } from './layout.ts';
import { answers, LIBVIRT_SOCKET, LibvirtDaemons } from './libvirt-daemons.ts';
import { type RunState, readRunState, removeRunState, writeRunState } from './run-state.ts';
import { endSharedStorage } from './shared-storage.ts';

const END_GRACE_MS = 10_000;

const identityFile = Compile(
  Type.Object({ pid: Type.Integer(), startTicks: Type.Integer(), bootId: Type.String() }),
);

export interface CleanUpOptions {
  readonly layout: Layout;
  readonly keepVms: boolean;
  readonly clock: Clock;
  readonly onProgress: (text: string) => void;
}

/**
 * Ends everything that a factory has left on this machine: its processes (also those of a supervisor
 * that was killed), its executors and, unless they are kept, its guests and networks; at last
 * libvirt's daemons, where the factory had started them. Disks stay: the next `up` starts the
 * machines again from them. Repeating it changes nothing.
 */
export async function cleanUp(options: CleanUpOptions): Promise<void> {
  const { layout, keepVms, clock } = options;
  const state = await readRunState(layout);
  const leftOver = (state?.processes ?? []).flatMap(({ identity }) => identity ?? []);
  await endAll(leftOver, clock);
  await endAll(await executorsOf(layout), clock);
  const daemons = keepVms ? [] : await powerOffGuests(options, state);
  if (keepVms && state !== undefined) {
    // The guests go on, and so must libvirt's daemons; whoever ends the guests ends them too.
    await writeRunState(layout, { ...state, ready: false, processes: [] });
  } else {
    for (const { identity } of daemons.toReversed()) await end(identity, clock);
    await endSharedStorage(layout, clock);
    await removeRunState(layout);
  }
  await rm(layout.endpointsFile, { force: true });
}

/**
 * Powers guests off and removes networks; gives libvirt's daemons that are ours to end. Where the
 * factory has had guests and libvirt is away, it is started: without it they would be left running.
 */
async function powerOffGuests(
  { layout, clock, onProgress }: CleanUpOptions,
  state: RunState | undefined,
): Promise<RunState['daemons']> {
  if (state?.hypervisor === 'simulated') return state.daemons;
  if (state === undefined) {
    if (await answers(LIBVIRT_SOCKET)) await standDown(layout, onProgress);
    return [];
  }
  const { daemons: earlier } = state;
  const libvirt = new LibvirtDaemons({
    ...{ layout, clock, logger: silentLogger, earlier },
    onChange: () => undefined,
  });
  try {
    await libvirt.start();
    // Whoever takes a removal up that is cut off here ends them, too.
    await writeRunState(layout, { ...state, daemons: libvirt.owned });
    await standDown(layout, onProgress);
    return libvirt.owned;
  } finally {
    libvirt.close();
  }
}

/** Ends these processes, and nothing that merely has one of their pids by now. */
export async function endAll(identities: readonly ProcessIdentity[], clock: Clock): Promise<void> {
  await Promise.all(identities.map((identity) => end(identity, clock)));
}

async function end(identity: ProcessIdentity, clock: Clock): Promise<void> {
  if (!(await isSameProcessAlive(identity))) return;
  signal(identity.pid, 'SIGTERM');
  const isGone = async (): Promise<true | undefined> =>
    (await isSameProcessAlive(identity)) ? undefined : true;
  try {
    await waitFor(clock, `the end of process ${identity.pid}`, END_GRACE_MS, isGone);
  } catch {
    signal(identity.pid, 'SIGKILL');
    await waitFor(clock, `the end of process ${identity.pid}`, END_GRACE_MS, isGone);
  }
}

/** A process that has just ended by itself needs no signal. */
function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}

/** Every executor writes who it is into its host's folder. */
async function executorsOf(layout: Layout): Promise<readonly ProcessIdentity[]> {
  const clusters = join(layout.data, 'clusters');
  const files = await readdir(clusters, { recursive: true }).catch(() => []);
  const found = await Promise.all(
    files
      .filter((file) => /^[^/]+\/hosts\/[^/]+\/executor\.json$/.test(file))
      .map((file) => readJsonIfExists(join(clusters, file))),
  );
  return found.filter((value) => identityFile.Check(value));
}

async function standDown(layout: Layout, onProgress: (text: string) => void): Promise<void> {
  onProgress('shutting the machines down');
  const script = join(layout.root, 'services/vm-executor/src/stand-down-main.ts');
  const args = ['--disable-warning=ExperimentalWarning', script];
  const env = { ...process.env, FACTORY_INSTANCE: layout.instance };
  await run(process.execPath, args, join(layout.logs, 'stand-down.log'), env);
}
