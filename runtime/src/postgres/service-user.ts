import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const limits = { timeout: 10_000 };

/** A system account, by numbers. */
export interface ServiceUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account `name`; root makes it, without home, password or shell, when it is missing. */
export async function ensureServiceUser(name: string): Promise<ServiceUser> {
  if (!(await userExists(name))) {
    const shell = ['--shell', '/usr/sbin/nologin'];
    await run(
      'useradd',
      [
        '--system',
        '--user-group',
        '--no-create-home',
        '--home-dir',
        '/nonexistent',
        ...shell,
        name,
      ],
      limits,
    ).catch(async (error: unknown) => {
      // Another process may have made it in the same moment.
      if (!(await userExists(name))) throw error;
    });
  }
  const uid = await run('id', ['-u', '--', name], limits);
  const gid = await run('id', ['-g', '--', name], limits);
  return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function userExists(name: string): Promise<boolean> {
  return run('id', ['-u', '--', name], limits).then(
    () => true,
    () => false,
  );
}
