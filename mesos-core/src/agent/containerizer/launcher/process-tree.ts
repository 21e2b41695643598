import { readdir, readFile } from 'node:fs/promises';

/** A process as /proc/<pid>/stat shows it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly session: number;
  readonly startTicks: number;
  readonly threads: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly residentPages: number;
  readonly isZombie: boolean;
}

/** One line of /proc/<pid>/stat, proc(5); `undefined` when it is none. */
export function parseProcessEntry(line: string): ProcessEntry | undefined {
  const pid = Number.parseInt(line, 10);
  // The name, in brackets, may itself hold spaces and brackets.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const number = (field: number): number => Number(fields[field - 3]);
  const entry = {
    pid,
    parentPid: number(4),
    session: number(6),
    userTicks: number(14),
    systemTicks: number(15),
    threads: number(20),
    startTicks: number(22),
    residentPages: number(24),
  };
  if (!Object.values(entry).every(Number.isSafeInteger)) return undefined;
  return { ...entry, isZombie: fields[0] === 'Z' || fields[0] === 'X' };
}

/** All processes of the machine. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(
    names.map(async (name) => {
      // It may be gone by now; any other error is no reason to miss the rest.
      const line = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
      return parseProcessEntry(line);
    }),
  );
  return entries.filter((entry) => entry !== undefined);
}

/** Those of `processes` in sessions that these leaders began, and all their descendants. Pure. */
export function processTree(
  processes: readonly ProcessEntry[],
  leaders: ReadonlySet<number>,
): readonly ProcessEntry[] {
  const children = Map.groupBy(processes, (each) => each.parentPid);
  const found = new Map<number, ProcessEntry>();
  const queue = processes.filter((each) => leaders.has(each.pid) || leaders.has(each.session));
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next.pid)) continue;
    found.set(next.pid, next);
    queue.push(...(children.get(next.pid) ?? []));
  }
  return [...found.values()];
}
