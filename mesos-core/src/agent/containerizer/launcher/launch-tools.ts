import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LaunchTools } from './launch-script.ts';

const run = promisify(execFile);
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TRY_TIMEOUT_MS = 10_000;

/** Finds the programs that a launch needs; one that is missing keeps its bare name. */
export async function findLaunchTools(path = process.env.PATH ?? ''): Promise<LaunchTools> {
  const directories = [...path.split(':'), ...SYSTEM_PATH.split(':')].filter((each) => each !== '');
  const find = (name: string): Promise<string> => findProgram(name, directories);
  const env = await find('env');
  return {
    env,
    setsid: await find('setsid'),
    setpriv: await find('setpriv'),
    prlimit: await find('prlimit'),
    unshare: await find('unshare'),
    nsenter: await find('nsenter'),
    mount: await find('mount'),
    mkdir: await find('mkdir'),
    hostname: await find('hostname'),
    realpath: await find('realpath'),
    script: await find('script'),
    tty: await find('tty'),
    stty: await find('stty'),
    canResetSignals: await succeeds(env, ['--default-signal=INT,QUIT', 'true']),
  };
}

/** Whether the program runs and ends well. */
export async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(program, [...args], { timeout: TRY_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

async function findProgram(name: string, directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const path = join(directory, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return name;
}
