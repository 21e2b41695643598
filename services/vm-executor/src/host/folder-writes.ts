import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const RUN_TIMEOUT_MS = 10_000;
/** SIGXFSZ as a bit of a process' mask of signals. */
const SIGXFSZ = 1n << 24n;

/**
 * Lets guests of this host write to a folder that is shared with them, or refuses it: the processes
 * that serve it (virtiofsd) may make no file longer then. Those that the signal for that would end,
 * as they were started before there was this, are left alone.
 */
export async function allowFolderWrites(path: string, isAllowed: boolean): Promise<void> {
  const limit = isAllowed ? 'unlimited' : '0';
  for (const pid of await serversOf(path)) {
    const args = ['--pid', pid, `--fsize=${limit}:unlimited`];
    await run('prlimit', args, { timeout: RUN_TIMEOUT_MS }).catch((error: unknown) => {
      if (!/no such process/i.test(String(error))) throw error;
    });
  }
}

async function serversOf(path: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => ((await isServer(pid, path)) ? [pid] : [])),
  );
  return found.flat();
}

async function isServer(pid: string, path: string): Promise<boolean> {
  const [program, ...args] = (await textOf(`/proc/${pid}/cmdline`)).split('\0');
  if (program === undefined || !/(^|\/)virtiofsd$/.test(program)) return false;
  // `-o source=DIR,…`
  if (!args.some((each) => each.split(',').includes(`source=${path}`))) return false;
  const ignored = /^SigIgn:\s+([0-9a-f]+)$/m.exec(await textOf(`/proc/${pid}/status`))?.[1];
  return (BigInt(`0x${ignored ?? '0'}`) & SIGXFSZ) !== 0n;
}

/** Nothing for a process that is gone. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
