import { execFile } from 'node:child_process';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Layout } from '../../cli/src/supervisor/layout.ts';

const run = promisify(execFile);
/** At a time: qemu-io holds it in memory. */
const WRITE_MIB = 64;

/**
 * The image `micro`, with a disk that is longer by `fillerMiB` of data behind what it uses: boots
 * like it, and is as large. Gives its size in bytes.
 */
export async function largeMicroImage(
  layout: Pick<Layout, 'images'>,
  path: string,
  fillerMiB: number,
): Promise<number> {
  const folder = join(layout.images, 'micro');
  const micro = (await readdir(folder)).find((name) => name.endsWith('.qcow2'));
  if (micro === undefined) throw new Error(`no image in ${folder}`);
  await copyFile(join(folder, micro), path);
  const { stdout } = await run('qemu-img', ['info', '--output=json', path]);
  const before: number = JSON.parse(stdout)['virtual-size'];
  await run('qemu-img', ['resize', '-f', 'qcow2', path, `+${fillerMiB}M`]);
  for (let mib = 0; mib < fillerMiB; mib += WRITE_MIB) {
    const length = Math.min(WRITE_MIB, fillerMiB - mib);
    const write = `write -P 90 ${before + mib * 1024 ** 2} ${length}M`;
    await run('qemu-io', ['-f', 'qcow2', '-c', write, path]);
  }
  return (await stat(path)).size;
}
