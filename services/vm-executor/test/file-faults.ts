import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

type Work = (...args: never[]) => Promise<unknown>;

/** Of `node:fs/promises`, what changes something. */
const CHANGES = ['mkdir', 'rm', 'rmdir', 'rename', 'copyFile', 'writeFile', 'unlink', 'symlink'];
/** Of an open file. */
const WRITES = ['chmod', 'write', 'writeFile', 'truncate', 'sync'];

/** Calls `before` with the words for each call by which this process changes files, before it. */
export async function watchFileCalls(before: (call: string) => void): Promise<void> {
  const patched = promises as unknown as Record<string, Work>;
  for (const name of CHANGES) watch(patched, name, before);
  const open = promises.open.bind(promises);
  patched.open = (async (path: string, flags: string, mode: number) => {
    if (flags !== 'r') before(`open ${path}`);
    return open(path, flags, mode);
  }) as never;
  const handle = await open('/dev/null');
  const prototype: Record<string, Work> = Object.getPrototypeOf(handle satisfies FileHandle);
  await handle.close();
  for (const name of WRITES) watch(prototype, name, before);
  syncBuiltinESMExports();
}

function watch(of: Record<string, Work>, name: string, before: (call: string) => void): void {
  const work = of[name];
  of[name] = function (this: unknown, ...args: never[]) {
    before([name, ...args.filter((each) => typeof each === 'string')].join(' '));
    return work?.apply(this, args) ?? Promise.resolve();
  };
}
