import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfExists } from '../files.ts';
import { identifyProcess, type ProcessIdentity } from '../process-identity.ts';

/** What a running server says of itself in `postmaster.pid`. */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number | undefined;
  readonly ready: boolean;
}

/**
 * Reads `postmaster.pid`: pid, data directory, start time, port, socket directory, listen address,
 * shared memory key, status; one a line (PostgreSQL source, src/include/utils/pidfile.h).
 */
export function parsePostmasterPid(text: string): PostmasterFile | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const port = Number(lines[3]);
  return { pid, port: port > 0 ? port : undefined, ready: lines[7] === 'ready' };
}

/** The server that runs on `cluster` now. */
export interface RunningPostmaster extends PostmasterFile {
  readonly identity: ProcessIdentity;
}

/**
 * The server that really runs on the data directory `cluster`. A pid file that a crash left behind,
 * whose number may belong to something else by now, counts as none.
 */
export async function findPostmaster(cluster: string): Promise<RunningPostmaster | undefined> {
  const text = await readTextIfExists(join(cluster, 'postmaster.pid'));
  const file = text === undefined ? undefined : parsePostmasterPid(text);
  if (file === undefined) return undefined;
  const identity = await identifyProcess(file.pid);
  if (identity === undefined || !(await runsOn(file.pid, cluster))) return undefined;
  return { ...file, identity };
}

/** Whether the process was started as `postgres … -D <cluster> …`. */
async function runsOn(pid: number, cluster: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const words = commandLine.split('\0');
  return words[0]?.endsWith('postgres') === true && words[words.indexOf('-D') + 1] === cluster;
}
