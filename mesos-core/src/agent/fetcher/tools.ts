import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { FetchError } from './fetch-error.ts';

const run = promisify(execFile);

/** Who fetched files belong to, and who unpacks archives; `undefined`: the agent's own user. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Lists of a million names still fit. */
const OUTPUT_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Runs a program of the system as `owner`; gives its standard output.
 * @throws FetchError with what it wrote to standard error.
 */
export async function runTool(
  file: string,
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly owner?: Owner | undefined },
): Promise<string> {
  const { timeoutMs, owner } = options;
  try {
    const { stdout } = await run(file, args, {
      timeout: timeoutMs,
      maxBuffer: OUTPUT_BYTES_MAX,
      killSignal: 'SIGKILL',
      ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    });
    return stdout;
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    const why = said.split('\n')[0] || (cause instanceof Error ? cause.message : String(cause));
    throw new FetchError(`${file} failed: ${why}`, { cause });
  }
}

/**
 * Copies a file that `owner` may read to a place where only the agent writes: the reading is done as
 * the owner, so that nobody gets a file of the host by naming it.
 * @throws FetchError when the owner can't read it.
 */
export async function copyAs(
  owner: Owner | undefined,
  from: string,
  to: string,
  timeoutMs: number,
): Promise<void> {
  const file = await open(to, 'w', 0o644);
  try {
    const reader = spawn('cat', ['--', from], {
      stdio: ['ignore', file.fd, 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    });
    let said = '';
    reader.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, 500);
    });
    const [code] = await once(reader, 'close');
    if (code !== 0) throw new FetchError(`Failed to copy '${from}': ${said.trim() || 'no time'}`);
  } finally {
    await file.close();
  }
}
