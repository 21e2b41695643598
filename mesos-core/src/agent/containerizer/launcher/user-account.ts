import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LaunchError } from '../containerizer.ts';

const run = promisify(execFile);
const LOOK_UP_TIMEOUT_MS = 5000;

/** A user as the kernel knows it. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The effective user of this process. */
export function currentUid(): number {
  return process.geteuid?.() ?? 0;
}

/**
 * User and primary group of a user name: of /etc/passwd, or of whatever else the host asks.
 * @throws LaunchError when there is no such user.
 */
export async function lookUpAccount(user: string): Promise<Account> {
  const local = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => '')).get(user);
  if (local !== undefined) return local;
  try {
    const options = { timeout: LOOK_UP_TIMEOUT_MS };
    const uid = await run('id', ['-u', '--', user], options);
    const gid = await run('id', ['-g', '--', user], options);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch (cause) {
    throw new LaunchError(`there is no user ${JSON.stringify(user)} on this agent`, { cause });
  }
}

/** The accounts of a passwd(5) file, by name. */
export function parsePasswd(text: string): ReadonlyMap<string, Account> {
  const entries = text.split('\n').map((line) => line.split(':'));
  return new Map(
    entries
      .filter((fields) => fields.length >= 7)
      .map(([name = '', , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
}
