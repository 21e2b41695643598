import { readFile } from 'node:fs/promises';
import { hasErrorCode } from './files.ts';

/**
 * One life of one process. A pid alone is not an identity, the kernel gives it out again; with the
 * time of birth (and the boot it counts from) it is.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Birth of the process, in clock ticks since boot: field 22 of /proc/<pid>/stat, proc(5). */
  readonly startTicks: number;
  /** /proc/sys/kernel/random/boot_id: ticks of another boot mean nothing. */
  readonly bootId: string;
}

/** The identity of the process that has `pid` now; `undefined` when there is none (or a zombie). */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const stat = await readProcStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { pid, startTicks: stat.startTicks, bootId };
}

/** Whether exactly this process (not a later one with its pid) still runs. */
export async function isSameProcessAlive(identity: ProcessIdentity): Promise<boolean> {
  const current = await identifyProcess(identity.pid);
  return (
    current !== undefined &&
    current.startTicks === identity.startTicks &&
    current.bootId === identity.bootId
  );
}

async function readProcStat(pid: number): Promise<ProcStat | undefined> {
  try {
    return parseProcStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    // ESRCH: the process went away between open and read.
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

interface ProcStat {
  readonly state: string;
  readonly startTicks: number;
}

/** State and start time out of a line of /proc/<pid>/stat. */
export function parseProcStat(line: string): ProcStat {
  // Field 2, the command in brackets, may itself hold spaces and brackets: count from the last ')'.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) {
    throw new Error(`not a line of /proc/<pid>/stat: ${line}`);
  }
  return { state, startTicks };
}
