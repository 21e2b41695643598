import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

/**
 * Files in these folders that have the text in them, whatever they are: logs, journals, a database's
 * rows and its write-ahead log.
 */
export async function filesWith(
  text: string,
  folders: readonly string[],
): Promise<readonly string[]> {
  // From its standard input: it would be on grep's own command line else.
  const grep = spawn('grep', ['-rlFa', '--devices=skip', '-f', '-', ...folders], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  grep.stdin.end(text);
  const [found] = await Promise.all([grep.stdout.toArray(), once(grep, 'close')]);
  return Buffer.concat(found).toString().split('\n').filter(Boolean);
}

/** Command lines and environments of processes that have the text in them. */
export async function processesWith(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const files = pids.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
  const read = files.map(async (file) => {
    // It has ended meanwhile.
    const shown = await readFile(file, 'latin1').catch(() => '');
    return shown.includes(text) ? [file] : [];
  });
  return (await Promise.all(read)).flat();
}
