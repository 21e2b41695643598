import { readdir, readFile, readlink } from 'node:fs/promises';
import { sleep, systemClock } from '@factory/runtime';
import type { Layout } from '../../cli/src/supervisor/layout.ts';

const SAMPLE_MS = 100;
const HELPER = 'shared-storage/helper-main.ts';

/** What a factory's processes have read of its folder of images since the count began. */
export interface ReadCount {
  /** Bytes that its storage helpers have read, of whatever (`rchar` of proc(5)). */
  readonly helperBytes: number;
  /** Processes that are no helpers, and had a file of the folder open. */
  readonly others: readonly string[];
}

/** Counts until `stop`: helpers alone touch the folder, and the kernel knows what each has read. */
export function countReads(layout: Pick<Layout, 'data' | 'images'>): {
  stop(): Promise<ReadCount>;
} {
  const helpers = new Map<string, { readonly from: number; last: number }>();
  const others = new Set<string>();
  let isStopped = false;
  const sample = async (isFirst: boolean): Promise<void> => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    for (const pid of pids) {
      const command = await textOf(`/proc/${pid}/cmdline`);
      if (command.includes(HELPER)) {
        if (!(await isOurs(pid, layout))) continue;
        const last = Number(/^rchar: (\d+)$/m.exec(await textOf(`/proc/${pid}/io`))?.[1] ?? 0);
        const known = helpers.get(pid) ?? { from: isFirst ? last : 0, last };
        helpers.set(pid, { ...known, last: Math.max(known.last, last) });
      } else if (await hasOpen(pid, `${layout.images}/`)) {
        others.add(command.replaceAll('\0', ' ').slice(0, 120));
      }
    }
  };
  const running = (async () => {
    for (let isFirst = true; !isStopped; isFirst = false) {
      await sample(isFirst);
      await sleep(systemClock, SAMPLE_MS);
    }
    await sample(false);
  })();
  return {
    async stop() {
      isStopped = true;
      await running;
      const helperBytes = [...helpers.values()].reduce(
        (sum, each) => sum + each.last - each.from,
        0,
      );
      return { helperBytes, others: [...others] };
    },
  };
}

/** Whether a helper's parent belongs to the factory. */
async function isOurs(pid: string, { data }: Pick<Layout, 'data'>): Promise<boolean> {
  const parent = /^PPid:\s+(\d+)$/m.exec(await textOf(`/proc/${pid}/status`))?.[1];
  return (await textOf(`/proc/${parent}/environ`)).includes(data);
}

async function hasOpen(pid: string, folder: string): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const file of files) {
    const path = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
    if (path.startsWith(folder)) return true;
  }
  return false;
}

/** Nothing for a process that is gone. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
