import { rm } from 'node:fs/promises';
import {
  identifyProcess,
  isSameProcessAlive,
  readJsonIfExists,
  writeFileAtomic,
} from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Layout } from './layout.ts';

const IdentitySchema = Type.Object({
  pid: Type.Integer(),
  startTicks: Type.Integer(),
  bootId: Type.String(),
});

/**
 * `.factory/run/supervisor.json`: who runs the factory and which processes belong to it, so that a
 * supervisor that was killed can be cleaned up after, and no stranger's process is ever ended.
 */
const RunStateSchema = Type.Object({
  supervisor: IdentitySchema,
  ready: Type.Boolean(),
  hypervisor: Type.Union([Type.Literal('libvirt'), Type.Literal('simulated')]),
  processes: Type.Array(
    Type.Object({
      name: Type.String(),
      readyUrl: Type.String(),
      logFile: Type.String(),
      identity: Type.Union([IdentitySchema, Type.Null()]),
      restarts: Type.Integer(),
    }),
  ),
  /** libvirtd and virtlogd, where the factory started them itself. */
  daemons: Type.Array(Type.Object({ name: Type.String(), identity: IdentitySchema })),
});
export type RunState = Static<typeof RunStateSchema>;
export type ProcessIdentityRecord = Static<typeof IdentitySchema>;

const runState = Compile(RunStateSchema);

/** What the last supervisor wrote, or `undefined`. */
export async function readRunState(layout: Layout): Promise<RunState | undefined> {
  const value = await readJsonIfExists(layout.supervisorFile);
  return runState.Check(value) ? value : undefined;
}

export async function writeRunState(layout: Layout, state: RunState): Promise<void> {
  const text = `${JSON.stringify(state, null, 2)}\n`;
  await writeFileAtomic(layout.supervisorFile, text, { fsync: false });
}

export async function removeRunState(layout: Layout): Promise<void> {
  await rm(layout.supervisorFile, { force: true });
}

/** Whether the factory's supervisor is alive. */
export async function isSupervisorAlive(state: RunState | undefined): Promise<boolean> {
  return state !== undefined && (await isSameProcessAlive(state.supervisor));
}

/** Identities of those of `pids` that are alive. */
export async function identify(pid: number | undefined): Promise<ProcessIdentityRecord | null> {
  return pid === undefined ? null : ((await identifyProcess(pid)) ?? null);
}
