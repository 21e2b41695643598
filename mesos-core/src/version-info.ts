import { statSync } from 'node:fs';
import type { VersionInfo } from './protocol/index.ts';

/** The version of Mesos whose behaviour and API these programs have: the last one. */
const VERSION = '1.12.0';

/**
 * What is told as the version, with all that Mesos tells. There is no build, as TypeScript runs as
 * it is: its time is that of the installation.
 */
export const VERSION_INFO: Required<VersionInfo> = versionInfo();

function versionInfo(): Required<VersionInfo> {
  const installed = statSync(new URL('../package.json', import.meta.url)).mtime;
  return {
    version: VERSION,
    build_date: `${installed.toISOString().slice(0, 19).replace('T', ' ')} UTC`,
    build_time: Math.floor(installed.getTime() / 1000),
    build_user: 'mesos-core',
    git_sha: '',
    git_branch: '',
    git_tag: '',
  };
}
