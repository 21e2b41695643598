import { join } from 'node:path';
import type { Clock, Logger } from '@factory/runtime';
import type { Containerizer } from './containerizer.ts';
import {
  canLaunchLinux,
  createIsolators,
  type IsolationSettings,
} from './isolators/create-isolators.ts';
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
  shell: { readonly clock: Clock; readonly logger: Logger },
): Promise<Containerizer> {
  const launcher = flags.launcher ?? ((await canLaunchLinux()) ? 'linux' : 'posix');
  return createMesosContainerizer({
    ...shell,
    runtimeDirectory: flags.runtimeDir ?? join(flags.workDir, 'run'),
    isolators: await createIsolators({ ...flags, launcher }, shell),
  });
}
