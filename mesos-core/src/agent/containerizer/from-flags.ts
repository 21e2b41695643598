import { join } from 'node:path';
import type { Containerizer } from './containerizer.ts';
import {
  canLaunchLinux,
  createIsolators,
  type IsolationSettings,
  type IsolatorShell,
} from './isolators/create-isolators.ts';
import { RuntimeDirectory } from './launcher/runtime-directory.ts';
import { createMesosContainerizer } from './mesos-containerizer.ts';

/** Values of the flags about containers, and where the agent works. */
export interface ContainerizerFlags extends Omit<IsolationSettings, 'launcher'> {
  readonly launcher: 'posix' | 'linux' | undefined;
  readonly runtimeDir: string | undefined;
}

/**
 * The containerizer that the agent's flags describe.
 * @throws SettingsError when `--isolation` names what there is not.
 */
export async function containerizerFromFlags(
  flags: ContainerizerFlags,
  shell: Omit<IsolatorShell, 'runtime'>,
): Promise<Containerizer> {
  const { cgroupsHierarchy } = flags;
  const launcher = flags.launcher ?? ((await canLaunchLinux(cgroupsHierarchy)) ? 'linux' : 'posix');
  const runtime = new RuntimeDirectory(flags.runtimeDir ?? join(flags.workDir, 'run'));
  const isolators = await createIsolators({ ...flags, launcher }, { ...shell, runtime });
  return createMesosContainerizer({ ...shell, runtime, isolators });
}
